"""Parallelization: three reviewers at once, one of whom may fail; and a vote of judges, one of whom does not come."""

from overwinter import Agent, Final, run
from overwinter.functions.model import Scripted
from overwinter.patterns import sections, vote
from overwinter.patterns.parallelization import Ballot

style = Agent("style", Scripted(["Shorter sentences."], "style"))
facts = Agent("facts", Scripted(["Winter has three months."], "facts"))
sleepy = Agent("sleepy", Scripted([Final("asleep")], "sleepy"))
review = sections("review", {"style": style, "facts": facts, "sleepy": sleepy}, tolerate=1, needed=["facts"])

judge = Agent("judge", Scripted({".*": "publish"}, "judge"))
strict = Agent("strict", Scripted({"long": "shorten", ".*": "publish"}, "strict"))
editor = Agent("editor", Scripted(["publish"], "editor"), input=Ballot)
verdict = vote("verdict", [judge, strict, sleepy], otherwise=editor)

if __name__ == "__main__":
    print(run(review, "Winter is long.", store="memory://"))
    print(run(verdict, "Winter is long.", store="memory://"))
