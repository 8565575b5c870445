"""The scores that are known, and what they are called: as src/metrics/scores.cpp has them."""

from typing import NamedTuple

GIVEN_TASK = "correct_given_task"


class ScoreInfo(NamedTuple):
    """mean: the column of its mean. metric: behind `last_` in metrics; "" of one that is there as `last` alone. meaning: of the last mean.

    of_completions: of prompts with completions, not of samples with classes.
    """

    name: str
    mean: str
    metric: str
    title: str
    meaning: str
    is_in_nats: bool = False
    of_completions: bool = False


KNOWN = (
    ScoreInfo("correct", "accuracy", "", "accuracy", "choosing among all classes seen"),
    ScoreInfo(GIVEN_TASK, "accuracy_given_task", "given_task", "accuracy given the task", "as last, choosing among the task's classes only"),
    ScoreInfo("correct_task", "task_identity", "task_identity", "task identity", "as last, the class chosen being one of the right task"),
    ScoreInfo("correct_top5", "top5", "top5", "top-5 accuracy", "as last, the class being among the five likeliest"),
    ScoreInfo("loss_given_task", "loss_given_task", "loss_given_task", "loss given the task", "mean cross-entropy given the task", is_in_nats=True),
    *(
        ScoreInfo(name, name, "" if name == "task_score" else name, title, meaning, is_in_nats, of_completions=True)
        for name, title, meaning, is_in_nats in (
            (
                "task_score",
                "task score",
                "exact match or ROUGE-L of what greedy decoding writes, or the choice by likelihood, as the protocol says of each task",
                False,
            ),
            ("exact_match", "exact match", "as last, the completion being what greedy decoding writes", False),
            ("correct_tokens", "correct tokens", "as last, tokens of completions being the likeliest after those before them", False),
            ("loss_per_token", "loss per token", "as last, mean cross-entropy of the tokens of completions; less is better", True),
            ("general_loss", "general loss", "loss per token on the text of --general, which belongs to no task; less is better", True),
            ("general_loss_before_stream", "general loss, before the stream", "the same, of the pretrained weights", True),
        )
    ),
)
_BY_NAME = {info.name: info for info in KNOWN}
PRIMARY = ("task_score", "exact_match", "correct")  # the first of these that is there


def score_info(name: str) -> ScoreInfo:
    """Unknown scores keep their name."""
    return _BY_NAME.get(name, ScoreInfo(name, name, name, name, ""))
