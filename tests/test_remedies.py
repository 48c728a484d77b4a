"""Every command that a message gives can be typed: the parsers of the commands take it."""

from __future__ import annotations

import argparse
import ast
import importlib
import re
import shlex
from pathlib import Path

import pytest

from replicate import cli

ROOT = Path(__file__).resolve().parents[1]

#: The program behind each session of nox that messages name.
PROGRAMS = {
    "replicate": (cli.main, ["run"]),
    "data": (cli.main, ["data"]),
    "figures": (cli.main, ["figures"]),
    "status": (cli.main, ["status"]),
    "bench": ("benchmarks.bench", []),
    "baseline": ("benchmarks.baseline", []),
    "check": ("benchmarks.check", []),
    "report": ("benchmarks.report", []),
    "causal": ("replicate.causal.command", []),
    "portable": ("benchmarks.portable", []),
}

#: The program behind modules that are run by their name.
MODULES = {"replicate": cli.main, "replicate.causal": "replicate.causal.command"}

#: What a message would fill into a command.
FILLED_IN = {"profile": "smoke", "stored": "smoke", "dataset": "beps", "model": "pca", "seed": "0"}

COMMAND = re.compile(r"(?:nox -s|python -m (?:replicate|figures|benchmarks)) ?[^`;()]*")


def text_of(node):
    """Return the text of a string or an f-string, with an example at every placeholder."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    parts = []
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(part.value)
        else:
            parts.append(FILLED_IN.get(ast.unparse(part.value), "example"))
    return "".join(parts)


def docstrings(tree):
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    with_body = [node for node in ast.walk(tree) if isinstance(node, kinds) and node.body]
    return {id(node.body[0].value) for node in with_body if isinstance(node.body[0], ast.Expr)}


def messages(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in ast.walk(node)} - {id(node)}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Constant, ast.JoinedStr)) and id(node) not in skipped:
            yield text_of(node)


def remedies():
    """Return the commands of all messages: those between backticks, and whole strings."""
    commands = set()
    for package in ("replicate", "figures", "benchmarks"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for message in messages(path):
                quoted = re.findall(r"`([^`]*)`", message)
                commands |= {each for each in quoted if COMMAND.fullmatch(each)}
                if message.startswith("nox -s") and COMMAND.fullmatch(message):
                    commands.add(message)
    # Its arguments are those of `replicate.running.scan_results`, which has tests of its own.
    return sorted(commands - {"nox -s replicate -- example"})


class Parsed(Exception):
    """The parser of a program has taken the arguments."""


@pytest.fixture
def parse_only(monkeypatch):
    parse = argparse.ArgumentParser.parse_args

    def parse_and_stop(parser, *arguments):
        parse(parser, *arguments)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)


def test_messages_have_commands():
    assert len(remedies()) > 8


@pytest.mark.parametrize("command", remedies())
def test_the_command_of_a_message_is_taken(command, parse_only, monkeypatch):
    words = shlex.split(command)
    if words[0] == "nox":
        program, first = PROGRAMS[words[2]]
        arguments = first + words[4:]
        assert words[3:4] in ([], ["--"])
    else:
        program, arguments = MODULES.get(words[2], words[2]), words[3:]
    main = program if callable(program) else importlib.import_module(program).main
    monkeypatch.setattr("sys.argv", ["program", *arguments])
    with pytest.raises(Parsed):
        main() if program == "benchmarks.baseline" else main(arguments)
