"""Every picture once: its name, its script, what it needs, and which studies draw it."""

from __future__ import annotations

from typing import NamedTuple

#: Names of the studies, as `replicate.study.studies` has them.
PAPER, FAMILY, OWN_SCAN = "paper", "family", "own scan"

#: Who draws a picture without being asked: the paper's study and the benchmark of the family.
STUDY = (PAPER, FAMILY)

#: Every study, one of a user's own scan as well.
EVERYWHERE = (PAPER, FAMILY, OWN_SCAN)

#: The benchmark alone, which has the numbers for it.
BENCHMARK = (FAMILY,)

#: Nobody: it is drawn where its script is named.
ON_REQUEST = ()

#: Pictures are drawn by a module of this package.
PACKAGE = "figures"


class Picture(NamedTuple):
    """One picture.

    Attributes
    ----------
    name : str
        Name of its files, without the ending.
    script : str
        Module in `figures` that draws it, which is the name that a user types:
        ``nox -s figures -- fig4``.
    needs : str
        What must be there before: ``runs``, ``benchmark`` (a finished `nox -s bench`) or
        ``causal``.
    drawn_for : tuple of str
        Names of the studies that draw it without being asked.
    title, alt : str
        Heading in the report, and what a reader who cannot see the picture is told.
    is_published : bool
        Whether `nox -s baseline` keeps it in docs/.
    """

    name: str
    script: str
    needs: str
    drawn_for: tuple[str, ...]
    title: str
    alt: str
    is_published: bool = False


#: In the order in which the report shows them.
PICTURES = (
    Picture(
        name="toy",
        script="toy",
        needs="runs",
        drawn_for=STUDY,
        title="Toy problem (paper Figure 1)",
        alt=(
            "Three panels of toy spectra and a picture. In each panel one colour channel, red, "
            "green or blue, goes from 0 to 1: red moves the step along the spectrum, green moves "
            "the whole spectrum up or down, blue changes its shape around the step. The fourth "
            "panel is the picture whose pixels are turned into such spectra."
        ),
    ),
    Picture(
        name="fig2",
        script="fig2",
        needs="runs",
        drawn_for=STUDY,
        title="Toy problem, reconstructions (paper Figure 2)",
        alt=(
            "Two rows, dictionary learning above and the LSTM beta-VAE below. Each row has three "
            "maps of coefficients or latents over the picture, then the pixels of least, median "
            "and greatest error with their reconstructions over the data. Under them, violins of "
            "the absolute error at each index of the spectrum for PCA, dictionary learning and the "
            "LSTM beta-VAE, on a logarithmic axis."
        ),
    ),
    Picture(
        name="fig3",
        script="fig3",
        needs="runs",
        drawn_for=STUDY,
        title="The network (paper Figure 3)",
        alt=(
            "Schematics of the LSTM beta-VAE, of the toy problem above and of the scan below, "
            "drawn from the stored weights. The encoder runs from left to right, the decoder under "
            "it from right to left. Each box is a layer, with the shape of its output and its "
            "number of weights, coloured by kind: recurrent, dense, linear path, without weights."
        ),
    ),
    Picture(
        name="fig4",
        script="fig4",
        needs="runs",
        drawn_for=EVERYWHERE,
        is_published=True,
        title="Switching spectra, reconstructions (paper Figure 4)",
        alt=(
            "Dictionary learning on the left, the LSTM beta-VAE on the right. Each has three "
            "component maps of the scan, then piezoresponse loops and resonance curves over "
            "voltage for the pixels of least, median and greatest error, with reconstructions over "
            "the data. At the foot, maps of the error of every pixel, on the paper's colour scale "
            "and zoomed with PCA beside them."
        ),
    ),
    Picture(
        name="fig5",
        script="fig5",
        needs="runs",
        drawn_for=EVERYWHERE,
        title="Generated spectra (paper Figure 5)",
        alt=(
            "Six rows, three of dictionary learning and three of the LSTM beta-VAE. Each row is "
            "one component: its map over the scan, and the piezoresponse loops and resonance "
            "curves generated as its value goes from low to high, coloured as in the map."
        ),
    ),
    Picture(
        name="table1",
        script="table1",
        needs="runs",
        drawn_for=STUDY,
        title="Properties of the models (paper Table 1)",
        alt=(
            "Table of properties in rows: reconstruction quality, ordinal, nonlinear, training "
            "time, inference time, influence of hyperparameters and size. Columns are the paper's "
            "words for dictionary learning and the VAE, then what was measured here for PCA, "
            "dictionary learning and both LSTM beta-VAEs. The numbers are in the tables of this "
            "page."
        ),
    ),
    Picture(
        name="descriptors",
        script="descriptors",
        needs="runs",
        drawn_for=EVERYWHERE,
        title="Descriptors of the switching loops (not in the paper)",
        alt=(
            "Maps of the scan, one a descriptor measured from the loops without any model: "
            "coercive voltages, imprint, area, remanent responses, saturation, squareness, "
            "shoulders, tilt and, where there is a resonance, its mean, softening and hardening. "
            "Loops that do not switch are grey."
        ),
    ),
    Picture(
        name="violins_toy",
        script="violins",
        needs="runs",
        drawn_for=STUDY,
        title="Toy problem, error at each index (paper Figure 2m)",
        alt=(
            "Violins of the signed error at each index of the toy spectrum, one row a model on one "
            "vertical axis, with a line at zero and the mean of each violin marked: the distance "
            "of the marks from the line is the offset, the height of the violins the spread."
        ),
    ),
    Picture(
        name="violins_beps",
        script="violins",
        needs="runs",
        drawn_for=EVERYWHERE,
        title="Switching spectra, error at each voltage step (paper Figure S8)",
        alt=(
            "Violins of the signed error at each step of the voltage cycle, piezoresponse on the "
            "left and resonance on the right, one row a model, around a line at zero with the mean "
            "of each violin marked."
        ),
    ),
    Picture(
        name="violins_pixels",
        script="violins",
        needs="runs",
        drawn_for=EVERYWHERE,
        is_published=True,
        title="Error of each spectrum",
        alt=(
            "Violins of the mean squared error of each spectrum on a logarithmic axis, one a "
            "model, with a line at the median and a point at the mean of each seed. Three panels: "
            "fresh toy colours, the pixels of the scan the models were fitted to, and held-out "
            "blocks."
        ),
    ),
    Picture(
        name="components",
        script="components",
        needs="runs",
        drawn_for=(OWN_SCAN,),
        title="How many components pay",
        alt=(
            "Left, the error of PCA against the number of components on a logarithmic axis, on the "
            "pixels fitted to and in predicting blocks left out. Right, the share of the error on "
            "blocks left out that each further component saves. A vertical line marks the number "
            "that is advised."
        ),
    ),
    Picture(
        name="cost",
        script="cost",
        needs="runs",
        drawn_for=EVERYWHERE,
        title="Time and memory",
        alt=(
            "Time to fit, time to encode and peak memory of each model on each data set, on "
            "logarithmic axes, one point a seed."
        ),
    ),
    Picture(
        name="ablation",
        script="ablation",
        needs="benchmark",
        drawn_for=BENCHMARK,
        is_published=True,
        title="Which ingredient does the work",
        alt=(
            "Above, errors of every model of the family on fresh toy colours and on held-out "
            "blocks of the scan, one point a seed with the interval of the mean; filled for the "
            "encoder's latents, open for the best code of the decoder. Below, one row an "
            "ingredient: by how much the error changes from the model without it to the model with "
            "it, with its interval, coloured by whether it helps, hurts or shows no difference."
        ),
    ),
    Picture(
        name="rate_distortion",
        script="rate_distortion",
        needs="benchmark",
        drawn_for=BENCHMARK,
        title="Error against the number of latents",
        alt=(
            "Held-out and training errors of the family on a logarithmic axis against the number "
            "of latents or active channels from 1 to 16, for all of the spectrum and for each "
            "channel, with the noise floor as a line."
        ),
    ),
    Picture(
        name="generalisation",
        script="generalisation",
        needs="benchmark",
        drawn_for=BENCHMARK,
        is_published=True,
        title="Pixels never seen: fewer spectra, and each fold",
        alt=(
            "Two panels of held-out errors on one logarithmic axis, for PCA, dictionary learning, "
            "the dense autoencoder, the dense and the LSTM beta-VAE; solid for the encoder, dotted "
            "for the best code. Left, over the number of spectra fitted to, from 100 to all of "
            "four folds. Right, for each of the five folds of spatial blocks left out."
        ),
    ),
    Picture(
        name="disentanglement",
        script="disentanglement",
        needs="benchmark",
        drawn_for=BENCHMARK,
        title="Are the factors kept apart?",
        alt=(
            "Toy problem: mutual information gap, separated attribute predictability, "
            "disentanglement, completeness and informativeness by model; the same against beta; "
            "the number of active channels by seed beside the true number of factors, three. "
            "Simulated twin: how well the latents tell of the true maps, and whether a model "
            "removes noise."
        ),
    ),
    Picture(
        name="mechanism",
        script="mechanism",
        needs="benchmark",
        drawn_for=BENCHMARK,
        is_published=True,
        title="Does a model keep the two-step switching?",
        alt=(
            "Above, maps of the shoulder of the loops of each pixel, in the data and in the "
            "reconstructions of PCA, dictionary learning, the dense and the LSTM beta-VAE. Below, "
            "for held-out blocks of the scan and of the simulated twin, one row a model: how well "
            "the pixels with a shoulder are told from its reconstructions, how many keep one, how "
            "many get one they did not have, and how closely all descriptors of the loops follow "
            "the data; filled for the encoder, open for the best code, one small point a seed."
        ),
    ),
    Picture(
        name="agreement",
        script="agreement",
        needs="runs",
        drawn_for=BENCHMARK,
        title="Which descriptors of the loops does a model keep?",
        alt=(
            "Two tables of numbers on colours from blue, -1, over white to red, 1. Rows are the "
            "descriptors of the loops, columns PCA, dictionary learning, the dense beta-VAE, the "
            "LSTM beta-VAE in the paper's form and the LSTM beta-VAE, all fitted to every pixel. "
            "Left, the correlation over the pixels of model and data; right, the bias over the "
            "spread of the data."
        ),
    ),
    Picture(
        name="s3_lambda",
        script="supplement",
        needs="runs",
        drawn_for=ON_REQUEST,
        title="Dictionary learning over lambda (paper Figure S3)",
        alt=(
            "Two panels over lambda on a logarithmic axis, with a line at the paper's 0.57. Left, "
            "the error on fresh toy colours, coded with the lambda of the fit and with 1, beside "
            "PCA with as many components. Right, the loss that coding minimises."
        ),
    ),
    Picture(
        name="s4_gamut",
        script="supplement",
        needs="runs",
        drawn_for=ON_REQUEST,
        title="Errors over the colour gamut (paper Figure S4)",
        alt=(
            "Three rows: PCA, dictionary learning and the LSTM beta-VAE. Each row has the mean "
            "error of fresh toy colours over red and green, red and blue, green and blue, on one "
            "logarithmic colour scale, and the spectra of least, median and greatest error with "
            "their reconstructions."
        ),
    ),
    Picture(
        name="s5_dictionary",
        script="supplement",
        needs="runs",
        drawn_for=ON_REQUEST,
        title="Dictionary learning on the scan, all components (paper Figure S5)",
        alt=(
            "One row a component: its map over the scan, and the piezoresponse loops and resonance "
            "curves generated as its coefficient goes from low to high, coloured as in the map."
        ),
    ),
    Picture(
        name="s7_channels",
        script="supplement",
        needs="runs",
        drawn_for=ON_REQUEST,
        title="LSTM beta-VAE on the scan, all channels (paper Figure S7)",
        alt=(
            "Above, bars of the Kullback-Leibler divergence of each of the channels, with a line "
            "where a channel counts as active. Below, for each channel in use, its map over the "
            "scan and the distribution of its values beside the normal distribution of the prior. "
            "The others were switched off when the model was chosen."
        ),
    ),
    Picture(
        name="s10_vae",
        script="supplement",
        needs="runs",
        drawn_for=ON_REQUEST,
        title="LSTM beta-VAE on the scan, all active latents (paper Figure S10)",
        alt=(
            "One row an active latent: its map over the scan, and the piezoresponse loops and "
            "resonance curves generated as it goes from low to high, coloured as in the map."
        ),
    ),
    Picture(
        name="s10_descriptors",
        script="supplement",
        needs="runs",
        drawn_for=ON_REQUEST,
        title="Latents and descriptors of the loops",
        alt=(
            "Two tables of rank correlations, for dictionary learning and for the LSTM beta-VAE, "
            "written on colours from blue, -1, to red, 1. Rows are what is read off each loop, "
            "from coercive voltages to the hardening of the resonance; columns are the components."
        ),
    ),
    Picture(
        name="twin",
        script="twin",
        needs="runs",
        drawn_for=ON_REQUEST,
        title="The simulated twin beside the measured scan",
        alt=(
            "One row for each of eight descriptors of the loops: its map on the measured scan and "
            "on the twin, its distribution over the pixels of both with their Kolmogorov-Smirnov "
            "distance, and the correlation of two pixels against their distance for both. The "
            "heading names where they differ most. The bands, and what follows them, agree; the "
            "twin's coercive voltages do not follow the bands as the measured ones do, its "
            "shoulders outside of the bands are fainter than the measured, and its softening is "
            "patchier."
        ),
    ),
    Picture(
        name="causal",
        script="causal",
        needs="causal",
        drawn_for=ON_REQUEST,
        is_published=True,
        title="Beyond correlation",
        alt=(
            "Four panels. Rate of switching and resonance over the voltage, for pixels grouped by "
            "the hardening of their resonance; evidence for two steps over the better one-step "
            "model for these groups, with the posterior as voltage steps arrive; how many terms it "
            "takes to write coordinates of the toy spectra in the colours, and the rate laws of "
            "the scan; edges that bootstrap graphs agree on, and correlations that change sign "
            "when band or row are held."
        ),
    ),
)

#: Every script once, in the order of the pictures.
SCRIPTS = tuple(dict.fromkeys(picture.script for picture in PICTURES))


def scripts_of(study: str) -> tuple[str, ...]:
    """Return the scripts that a study runs without being asked, by the name of the study."""
    return tuple(dict.fromkeys(each.script for each in PICTURES if study in each.drawn_for))


def pictures_of(study: str) -> tuple[Picture, ...]:
    """Return the pictures that a study draws without being asked, by the name of the study."""
    return tuple(picture for picture in PICTURES if study in picture.drawn_for)
