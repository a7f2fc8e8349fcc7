"""An error keeps everything that it says when it goes from one process to another."""

from __future__ import annotations

import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor

import pytest

from mmcli import errors
from mmcli.batch.workers import run, worker

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.MmcliError)]
EVIDENCE = {"statistic": "ratio", "value": 0.83, "limit": 0.8}


def noted(kind: type[errors.MmcliError]) -> errors.MmcliError:
    error = kind("does not match", source="b.wav", hint="try another")
    error.evidence = EVIDENCE
    error.stage = "decode"
    error.add_note("on the second try")
    return error


def fail(kind: type[errors.MmcliError]) -> None:
    raise noted(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_pickled_error_has_every_field(kind):
    copy = pickle.loads(pickle.dumps(noted(kind)))

    assert type(copy) is kind
    assert vars(copy) == vars(noted(kind))
    assert str(copy) == str(noted(kind))


def test_an_error_of_a_worker_process_has_its_evidence():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        error = pool.submit(pickle.loads, pickle.dumps(noted(errors.MismatchError))).result()
        with pytest.raises(errors.MismatchError, match="does not match") as caught:
            pool.submit(_raised, pickle.dumps(noted(errors.MismatchError))).result()

    assert error.evidence == caught.value.evidence == EVIDENCE
    assert caught.value.stage == "decode"


def _raised(pickled: bytes) -> None:
    raise pickle.loads(pickled)


def test_an_error_that_a_worker_of_a_batch_describes_is_made_anew_with_its_evidence():
    with pytest.raises(errors.MismatchError) as caught:
        fail(errors.MismatchError)
    again = run.rebuilt(worker.described(caught.value))

    assert type(again) is errors.MismatchError
    assert (again.what, again.source, again.hint) == ("does not match", "b.wav", "try another")
    assert (again.evidence, again.stage) == (EVIDENCE, "decode")
