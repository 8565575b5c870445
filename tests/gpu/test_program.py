"""The program on a device: what is true on processors is true there."""

import pytest

PRECISIONS = ["fp32", "bf16"]


def train(stream, name, *options, ranks=1, graphs=True):
    device = "cuda:" + ("share=true" if ranks > 1 else "graphs=" + str(graphs).lower())
    stream.run("--device", device, *options, ranks=ranks, out=name)
    return stream.records(name)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_two_ranks_on_one_device_give_the_records_of_one(stream, precision):
    one = train(stream, f"one-{precision}", "--precision", precision)
    two = train(stream, f"two-{precision}", "--precision", precision, ranks=2)
    assert len(one) == 6  # four tasks, two states
    assert one == two
    assert stream.metrics(f"one-{precision}") == stream.metrics(f"two-{precision}")


@pytest.mark.parametrize("precision", PRECISIONS)
def test_graphs_change_nothing(stream, precision):
    with_graphs = train(stream, f"graphs-{precision}", "--precision", precision)
    assert train(stream, f"kernels-{precision}", "--precision", precision, graphs=False) == with_graphs


def test_accuracy_is_that_of_the_processor(stream):
    train(stream, "device", "--precision", "fp32")
    stream.run("--device", "cpu", "--precision", "fp32", out="processor")
    rows = [[event for event in stream.metrics(name) if event["event"] == "evaluated"] for name in ("device", "processor")]
    for there, here in zip(*rows, strict=True):
        assert sum(there["samples"]) == sum(here["samples"])
        assert abs(sum(there["correct"]) - sum(here["correct"])) <= max(1, 0.05 * sum(here["samples"]))


def test_two_ranks_on_one_device_are_refused_unless_requested(stream):
    text = stream.run("--device", "cuda", ranks=2, out="refused", code=2)
    assert "--device cuda:share=true" in text
