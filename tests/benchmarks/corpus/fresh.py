# ruff: noqa: E501 (a source is two lines)
"""The sources of last2: recordings that no other split has any part of, taken when last had been opened.

They are not dealt: all of them belong to last2. Rooms and noises, which are tools, are those of last.
"""

from __future__ import annotations

from table import Collection

# Voices of programs that read SENTENCES (readings by several voices whose words are known) and digits.
VOICES = ("flite:rms", "flite:slt", "flite:awb", "espeak:en-gb-scotland", "espeak:en-us")
# Of the GNU General Public License, version 3, and the Debian Social Contract, as they lie on every Debian system.
SENTENCES = (
    "The licenses for most software are designed to take away your freedom to share and change the works.",
    "When we speak of free software, we are referring to freedom, not price.",
    "You must make sure that they, too, receive or can get the source code.",
    "And you must show them these terms so they know their rights.",
    "Finally, every program is threatened constantly by software patents.",
    "The precise terms and conditions for copying, distribution and modification follow.",
    "To do so, attach the following notices to the program.",
    "A compilation of a covered work with other separate and independent works is called an aggregate.",
    "We will be guided by the needs of our users and the free software community.",
    "We will not hide problems.",
    "We will support the needs of our users for operation in many different kinds of computing environments.",
    "The license must not be specific to this system.",
    "We acknowledge that some of our users require the use of works that do not conform.",
    "Both versions may be distributed together, if the author likes.",
    "Nothing else grants you permission to propagate or modify any covered work.",
    "Each contributor grants you a worldwide patent license.",
    "Where is the harm in asking a friend for the whole story?",
    "Seven boats came back before the storm, and two did not.",
)


def _phone(name: str, repository: str, files: str) -> Collection:
    return Collection(
        name,
        "phone",
        f"github:{repository}",
        "not stated",
        "accelerometer and gyroscope of a phone",
        files,
        split="last2",
    )


FRESH = (
    Collection("tortoise", "talk", "github:neonbjb/tortoise-tts", "repository Apache-2.0; recordings not stated",
               "ten seconds of films, readings and interviews, a folder a speaker", r"tortoise/voices/(\w+)/.+\.wav", "en", "last2"),
    Collection("ljspeech", "talk", "github:coqui-ai/TTS", "LJ Speech, public domain", "sentences read by one woman",
               r"tests/data/ljspeech/wavs/(LJ\d+-\d+)\.wav", "en", "last2"),
    Collection("apollo", "talk", "github:nguyenvulebinh/parakeet-avsr", "repository not stated", "a talk in front of a camera", r"examples/(video)\.mp4", "en", "last2"),
    Collection("armelle", "prompt", "debian:asterisk-prompt-fr-armelle", "GPL-2+", "prompts in French, a woman", r"usr/share/asterisk/sounds/fr/([^/]+)\.gsm", "fr", "last2"),
    Collection("colombian", "prompt", "debian:asterisk-prompt-es-co", "GPL-2+", "prompts in Colombian Spanish", r"usr/share/asterisk/sounds/es/([^/]+)\.gsm", "es", "last2"),
    Collection("armelle_words", "words", "debian:asterisk-prompt-fr-armelle", "GPL-2+", "digits in French", r"usr/share/asterisk/sounds/fr/digits/(\d+)\.gsm", "fr", "last2"),
    Collection("colombian_words", "words", "debian:asterisk-prompt-es-co", "GPL-2+", "digits in Colombian Spanish", r"usr/share/asterisk/sounds/es/digits/(\d+)\.gsm", "es", "last2"),
    Collection("espeak_be", "words", "espeak:fr-be", "GPL-3+", "digits by espeak-ng, Belgian French", r"(\d+)\.wav", "fr", "last2"),
    Collection("espeak_es2", "words", "espeak:es", "GPL-3+", "the same, Spanish of Spain", r"(\d+)\.wav", "es", "last2"),
    Collection("flite_rms", "words", "flite:rms", "BSD-like", "digits and letters by flite, a man", r"(\d+|[a-z])\.wav", "en", "last2"),
    Collection("flite_slt", "words", "flite:slt", "BSD-like", "the same, a woman", r"(\d+|[a-z])\.wav", "en", "last2"),
    *(Collection(f"read_{v.split(':')[1]}", "reread", f"{v}:sentences", "BSD-like or GPL-3+", "sentences of licences, read by a program", r"(\d+)\.wav", "en", "last2")
      for v in VOICES),
    Collection("hyperrogue", "music", "debian:hyperrogue-music", "CC BY-SA 3.0 and others, see its copyright file", "music of a game", r"usr/share/hyperrogue/music/(.+)\.ogg", split="last2"),
    Collection("singularity", "music", "debian:singularity-music", "CC BY-SA 3.0", "music of a game", r"usr/share/games/singularity/music/(.+)\.ogg", split="last2"),
    Collection("colobot", "music", "debian:colobot-common-sounds", "GPL-3", "music of a game", r"usr/share/games/colobot/music/([A-Z].+)\.ogg", split="last2"),
    Collection("drascula", "music", "debian:drascula-music", "freely distributable, see its copyright file", "music of a game", r"usr/share/scummvm/drascula/audio/(track(?!12|17|28)\d+)\.ogg", split="last2"),
    Collection("pathological", "music", "debian:pathological", "GPL-2+", "music of a game", r"usr/share/games/pathological/music/(.+)\.ogg", split="last2"),
    Collection("asc", "music", "debian:asc-music", "GPL-2+", "music of a game", r"usr/share/games/asc/music/(.+)\.mp3", split="last2"),
    Collection("batik", "played", "github:huispaty/batik_plays_mozart", "CC BY-NC-SA 4.0", "Mozart's sonatas played by R. Batik, with their notes in the score",
               r"midi/(kv\d+_\d)\.mid", split="last2"),
    _phone("gaitlab", "lucadomene/DFB_Lab04_GaitAnalysis", r"(Gyroscope(?:_2)?)\.csv"),
    _phone("deadreckoning", "Aymdi/DeadReckoning", r"data/(Gyroscope)\.csv"),
    _phone("phypox", "adtngrha/Dataset-Phypox-", r"(Gyroscope)\.csv"),
    _phone("basketball", "homichal3/Recognizing-basketball-offensive-moves", r"(Gyroscope)\.csv"),
    _phone("gpstracking", "parabiomech/25.GPS-TRACKING", r"(data2?)/Gyroscope\.csv"),
    _phone("data2", "pavkyr/data", r"(Gyroscope2?)\.csv"),
    Collection("mmaction", "film", "github:open-mmlab/mmaction2", "Apache-2.0", "persons in motion", r"(?:demo|tests/data)/(demo|test)\.mp4", split="last2"),
    Collection("openpose", "film", "github:CMU-Perceptual-Computing-Lab/openpose", "see its README", "a street", r"examples/media/(video)\.avi", split="last2"),
    Collection("cotracker", "film", "github:facebookresearch/co-tracker", "repository CC BY-NC 4.0; films of Pexels and DAVIS", "things that move", r"gradio_demo/videos/(.+)\.mp4", split="last2"),
    Collection("facenet", "film", "github:timesler/facenet-pytorch", "repository MIT", "a film of a talk", r"examples/(video)\.mp4", split="last2"),
    Collection("glslviewer", "film", "github:patriciogonzalezvivo/glslViewer", "repository BSD-3-Clause", "a room", r"examples/(video)\.mp4", split="last2"),
    Collection("lucaskanade", "film", "github:ksandrill/lucas_kanade", "not stated", "cars", r"(?:examples|videos)/(IMG_3912|my_favorite_gif|cars)\.MP4", split="last2"),
    Collection("waha", "film", "github:devlikeapro/waha", "repository Apache-2.0", "a demonstration", r"examples/(video)\.mp4", split="last2"),
)  # fmt: skip
