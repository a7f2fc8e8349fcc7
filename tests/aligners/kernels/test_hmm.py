"""Viterbi and forward-backward equal a dense float64 reference, sum to one, and find what was planted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcli.aligners.kernels import hmm, hmm_model
from mmcli.errors import InputError


def transition_matrix(model):
    """Log-probabilities (states, states) of every jump, as written down."""
    a = np.full((model.states, model.states), -np.inf)
    for k in range(len(model.trans)):
        for s in range(model.states - k):
            a[s, s + k] = model.trans[k, s]
    return a


def masked(model, emission):
    s = np.arange(model.states)
    return np.where((model.lo[:, None] <= s) & (s < model.hi[:, None]), emission, -np.inf)


def log_sum(v, axis):
    top = np.maximum(v.max(axis=axis, keepdims=True), -1e300)
    with np.errstate(divide="ignore"):
        return np.squeeze(np.log(np.exp(v - top).sum(axis=axis, keepdims=True)) + top, axis)


def dense_forward_backward(model, emission):
    """Rabiner's recurrences on whole matrices: (log-likelihood, posteriors)."""
    a, e = transition_matrix(model), masked(model, emission)
    forward = np.empty_like(e)
    backward = np.empty_like(e)
    forward[0] = model.start + e[0]
    for t in range(1, len(e)):
        forward[t] = log_sum(forward[t - 1][:, None] + a, 0) + e[t]
    backward[-1] = model.end
    for t in range(len(e) - 2, -1, -1):
        backward[t] = log_sum(a + (e[t + 1] + backward[t + 1])[None], 1)
    total = log_sum(forward[-1] + backward[-1], 0)
    if total == -np.inf:
        return -np.inf, np.zeros_like(e)
    return float(total), np.exp(forward + backward - total)


def dense_viterbi(model, emission):
    a, e = transition_matrix(model), masked(model, emission)
    best = model.start + e[0]
    for t in range(1, len(e)):
        best = (best[:, None] + a).max(axis=0) + e[t]
    return float((best + model.end).max())


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    frames, states = draw(st.integers(1, 40)), draw(st.integers(1, 30))
    emission = rng.normal(size=(frames, states)) * draw(st.sampled_from([0.1, 3.0, 200.0]))
    emission[rng.random((frames, states)) < draw(st.sampled_from([0.0, 0.05]))] = -np.inf
    jumps = draw(st.integers(0, 4))
    trans = [np.log(rng.random(states)) if draw(st.booleans()) else np.log(rng.random()) for _ in range(2 + jumps)]
    options = {}
    if draw(st.booleans()):
        radius = draw(st.integers(1, 10))
        centre = np.round(np.linspace(0, states - 1, frames)).astype(np.int64)
        options["ranges"] = np.column_stack([np.maximum(0, centre - radius), np.minimum(states, centre + radius + 1)])
    if draw(st.booleans()):
        options["log_start"] = np.log(rng.random(states))
    if draw(st.booleans()):
        options["log_end"] = np.log(rng.random(states))
    return emission, trans[0], trans[1], trans[2:], options


@pytest.mark.parametrize("compiled", [True, False])
@settings(deadline=None)
@given(problems(), st.booleans())
def test_forward_backward_equals_the_dense_reference(compiled, problem, short):
    emission, stay, go, skip, options = problem
    with pytest.MonkeyPatch.context() as patch:
        if short:  # many blocks, so that their seams are tested too
            patch.setattr(hmm_model, "CELLS", 40)
        model = hmm_model.Model(emission, stay, go, skip, **options)
        likelihood, gamma = dense_forward_backward(model, emission)
        if likelihood == -np.inf:
            with pytest.raises(InputError, match="no sequence"):
                hmm.posteriors(emission, stay, go, skip, compiled=compiled, **options)
            return
        found = hmm.posteriors(emission, stay, go, skip, compiled=compiled, **options)
        summary = hmm.posterior_summary(emission, stay, go, skip, compiled=compiled, **options)
    assert np.abs(found.sum(axis=1) - 1).max() < 1e-9
    assert np.abs(found - gamma).max() < 1e-9
    assert summary.log_likelihood == pytest.approx(likelihood, rel=1e-11, abs=1e-9)
    s = np.arange(found.shape[1])
    assert np.abs(summary.mean - gamma @ s).max() < 1e-7
    spread = (gamma * (s - (gamma @ s)[:, None]) ** 2).sum(axis=1)
    assert np.abs(summary.deviation - np.sqrt(spread)).max() < 1e-4
    assert (np.diff(summary.quantiles, axis=1) >= 0).all()


@pytest.mark.parametrize("compiled", [True, False])
@settings(deadline=None)
@given(problems(), st.booleans())
def test_viterbi_is_the_optimum_and_the_path_has_its_score(compiled, problem, short):
    emission, stay, go, skip, options = problem
    with pytest.MonkeyPatch.context() as patch:
        if short:
            patch.setattr(hmm_model, "CELLS", 40)
        model = hmm_model.Model(emission, stay, go, skip, **options)
        want = dense_viterbi(model, emission)
        if want == -np.inf:
            with pytest.raises(InputError, match="no sequence"):
                hmm.viterbi(emission, stay, go, skip, compiled=compiled, **options)
            return
        path, score = hmm.viterbi(emission, stay, go, skip, compiled=compiled, **options)
    assert score == pytest.approx(want, rel=1e-12, abs=1e-10)
    a, e = transition_matrix(model), masked(model, emission)
    along = model.start[path[0]] + e[np.arange(len(path)), path].sum() + a[path[:-1], path[1:]].sum()
    assert score == pytest.approx(along + model.end[path[-1]], rel=1e-12, abs=1e-10)


@pytest.mark.parametrize("compiled", [True, False])
def test_ties_go_on_before_they_stay(compiled):
    path, _ = hmm.viterbi(np.zeros((5, 3)), np.log(0.5), np.log(0.5), compiled=compiled)
    assert path.tolist() == [0, 0, 0, 1, 2]


@pytest.mark.parametrize("compiled", [True, False])
def test_planted_states_are_found_through_skips(compiled):
    rng = np.random.default_rng(3)
    means = rng.normal(size=(60, 8)) * 4
    truth = np.concatenate([np.repeat(np.arange(20), 3), np.arange(20, 60, 2), [59]])
    frames = means[truth] + rng.normal(size=(len(truth), 8)) * 0.3
    emission = hmm.gaussian(frames, means, 0.1)
    path, _ = hmm.viterbi(emission, np.log(0.6), np.log(0.3), [np.log(0.1)], compiled=compiled)
    assert path.tolist() == truth.tolist()
    summary = hmm.posterior_summary(emission, np.log(0.6), np.log(0.3), [np.log(0.1)], compiled=compiled)
    assert np.abs(summary.mean - truth).max() < 0.01
    assert summary.quantiles[:, 0] == pytest.approx(truth - 0.45, abs=0.01)


@pytest.mark.parametrize("compiled", [True, False])
def test_a_long_banded_model_sums_to_one_and_its_quantiles_cover(compiled):
    """20,000 frames in a corridor: the states drawn from the model lie in the 90 % interval about 90 % of the time."""
    rng = np.random.default_rng(11)
    n, stay, go, skip = 20_000, 0.3, 0.4, 0.3
    truth = np.concatenate([[0], np.cumsum(rng.choice(3, size=n - 1, p=[stay, go, skip]))])
    means = rng.normal(size=(truth[-1] + 1, 2))
    frames = means[truth] + rng.normal(size=(n, 2)) * 0.8
    centre = truth + rng.integers(-5, 6, size=n)
    ranges = np.column_stack([np.maximum(centre - 40, 0), np.minimum(centre + 41, len(means))])
    model = (hmm.gaussian(frames, means, 0.64), np.log(stay), np.log(go), [np.log(skip)])
    for _, _, gamma in hmm.posterior_blocks(*model, ranges=ranges, compiled=compiled):
        assert np.abs(gamma.sum(axis=1) - 1).max() < 1e-9
    summary = hmm.posterior_summary(*model, ranges=ranges, compiled=compiled)
    inside = (summary.quantiles[:, 0] - 0.5 <= truth) & (truth <= summary.quantiles[:, 2] + 0.5)
    assert 0.9 <= inside.mean() <= 0.99


def test_extension_and_twin_agree():
    pytest.importorskip("mmcli.aligners.kernels._hmm", reason="built without a compiler")
    rng = np.random.default_rng(4)
    emission = rng.normal(size=(300, 200)) * 5
    args = (emission, np.log(0.2), np.log(0.5), [np.log(0.3)])
    a, b = (hmm.posteriors(*args, compiled=c) for c in (True, False))
    assert np.abs(a - b).max() < 1e-9
    (p, u), (q, v) = (hmm.viterbi(*args, compiled=c) for c in (True, False))
    assert p.tolist() == q.tolist()
    assert u == v


@pytest.mark.parametrize("jumps", [1, 2, 3, 5])
def test_every_instruction_set_gives_the_same_bits(jumps):
    extension = pytest.importorskip("mmcli.aligners.kernels._hmm", reason="built without a compiler")
    rng = np.random.default_rng(jumps)
    frames, width = 30, 77
    emission = rng.normal(size=(frames, width)) * 20
    trans = np.log(rng.random((jumps, width)))
    lo = rng.integers(0, 9, size=frames)
    hi = np.full(frames, width) - rng.integers(0, 9, size=frames)
    ends = np.log(rng.random(width))
    seen = {}
    for kernel in ("avx512", "avx2", "base"):
        row, best, after = np.zeros((2, width)), np.zeros(width), np.zeros((2, width))
        store, gamma = np.empty((frames, 2, width)), np.empty((frames, width))
        codes = np.zeros((frames, width), dtype=np.int8)
        try:
            extension.viterbi_rows(emission, lo, hi, trans, ends, best, codes, kernel)
        except ValueError:  # not on this machine
            continue
        extension.forward_rows(emission, lo, hi, trans, ends, row, store, kernel)
        extension.backward_rows(emission, lo, hi, trans, ends, after, store, gamma, kernel)
        seen[kernel] = [v.tobytes() for v in (best, codes, row, store, gamma, after)]
    assert all(v == seen["base"] for v in seen.values())


def test_the_extension_refuses_arrays_that_do_not_fit():
    extension = pytest.importorskip("mmcli.aligners.kernels._hmm", reason="built without a compiler")
    e, lo, hi = np.zeros((2, 3)), np.zeros(2, dtype=np.int64), np.full(2, 3)
    trans, none, codes = np.zeros((2, 3)), np.empty(0), np.zeros((2, 3), dtype=np.int8)
    with pytest.raises(ValueError, match="fit"):
        extension.viterbi_rows(e, lo, hi + 1, trans, none, np.zeros(3), codes)
    with pytest.raises(ValueError, match="fit"):
        extension.viterbi_rows(e, lo, hi, trans, none, np.zeros(2), codes)
    with pytest.raises(ValueError, match="fit"):
        extension.forward_rows(e, lo, hi, trans, none, np.zeros((2, 3)), np.zeros((2, 2, 2)))
    with pytest.raises(TypeError, match="type"):
        extension.viterbi_rows(e.astype(np.float32), lo, hi, trans, none, np.zeros(3), codes)


def test_emissions_from_costs_are_the_local_costs():
    from mmcli.aligners.kernels import costs

    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(7, 3)), rng.normal(size=(9, 3))
    for metric in costs.METRICS:
        e = hmm.costs(x, y, metric, 0.5)
        assert e.shape == (7, 9)
        assert np.abs(e(0, 7, 0, 9) + 2 * costs.local_costs(x, y, metric)).max() < 1e-12


def test_gaussian_emissions_are_log_densities():
    rng = np.random.default_rng(6)
    x, mu, var = rng.normal(size=(5, 3)) + 100, rng.normal(size=(4, 3)) + 100, rng.random((4, 3)) + 0.1
    want = -0.5 * (np.log(2 * np.pi * var)[None] + (x[:, None] - mu[None]) ** 2 / var[None]).sum(axis=2)
    assert np.abs(hmm.gaussian(x, mu, var)(0, 5, 0, 4) - want).max() < 1e-9
    assert np.abs(hmm.gaussian(x, mu, var)(1, 3, 2, 4) - want[1:3, 2:4]).max() < 1e-9


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"log_emission": np.full((3, 2), np.nan)}, "NaN"),
        ({"log_emission": np.full((3, 2), np.inf)}, "infinity"),
        ({"log_emission": np.zeros((0, 2))}, "shape"),
        ({"log_self": np.nan}, "NaN"),
        ({"log_next": np.zeros(5)}, "states"),
        ({"ranges": np.zeros((3, 2))}, "corridor"),
        ({"log_emission": lambda t0, t1, s0, s1: np.zeros((1, 1)), "frames": 3, "states": 2}, "block"),
        ({"log_emission": np.zeros((2, 4))}, "no sequence"),
    ],
)
def test_what_is_refused_is_named(change, words):
    args = {"log_emission": np.zeros((3, 2)), "log_self": -1.0, "log_next": -1.0, **change}
    with pytest.raises(InputError, match=words):
        hmm.viterbi(**args)
