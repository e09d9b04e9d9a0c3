"""Makes sentences and the actions they mean, from templates, slots, politeness and typos."""

import json
import random
import re
import zlib
from dataclasses import dataclass

from templates import NINE, SIX, THREE
from words import NUMBER_WORDS, SLOTS

KEY_ORDER = ("intent", "room", "door", "zone", "sensor", "media", "label", "state", "level",
             "color", "value", "unit", "volume", "position", "mode", "passes", "hours", "minutes",
             "seconds", "time", "days", "not")
KEPT_OUT_SHARE = 12
BEFORE = {
    "do": ["", "", "", "", "please ", "please ", "hey, ", "ok, ", "could you ", "can you ",
           "would you ", "can you please ", "i'd like you to ", "kindly ", "go and "],
    "say": ["", "", "", "", "hey, ", "ok, ", "listen, "],
    "ask": ["", "", "", "hey, ", "tell me, ", "please, "],
}
AFTER = {
    "do": ["", "", "", "", " please", ", please", " now", ", thanks", " for me", " right now"],
    "say": ["", "", "", "", " please", ", please", ", thanks"],
    "ask": ["", "", "", "", " right now", " now", " please"],
}
NEIGHBOURS = {
    "q": "wa", "w": "qes", "e": "wrd", "r": "etf", "t": "ryg", "y": "tuh", "u": "yij", "i": "uok",
    "o": "ipl", "p": "ol", "a": "qsz", "s": "adw", "d": "sfe", "f": "dgr", "g": "fht", "h": "gjy",
    "j": "hku", "k": "jli", "l": "ko", "z": "xa", "x": "zcs", "c": "xvd", "v": "cbf", "b": "vng",
    "n": "bmh", "m": "nk",
}
TYPO_FREE = set(" ".join(NUMBER_WORDS.values()).split()) | {"never"}


@dataclass(frozen=True)
class Example:
    """A sentence, the exact action text, and the template and slot combination it came from."""
    intent: str
    sentence: str
    action: str
    combination: str


def action_text(fields):
    """The one spelling of an action: compact JSON with keys in a fixed order."""
    ordered = {key: fields[key] for key in KEY_ORDER if key in fields}
    return json.dumps(ordered, separators=(",", ":"))


def normalised(sentence):
    """What counts as the same sentence: letters and digits only, lower case."""
    return " ".join(re.findall(r"[a-z0-9]+", sentence.lower()))


def is_kept_out(combination):
    """Whether a combination of template and first slot value never appears in training."""
    return zlib.crc32(combination.encode()) % KEPT_OUT_SHARE == 0


def _misspell(rng, word):
    """Drops, doubles, swaps or replaces one letter, never the first."""
    at = rng.randrange(1, len(word))
    kind = rng.randrange(4)
    if kind == 0:
        return word[:at] + word[at + 1:]
    if kind == 1:
        return word[:at] + word[at] + word[at:]
    if kind == 2 and at + 1 < len(word):
        return word[:at] + word[at + 1] + word[at] + word[at + 2:]
    return word[:at] + rng.choice(NEIGHBOURS[word[at]]) + word[at + 1:]


def _with_typos(rng, sentence):
    """Misspells one or two words of at least four letters."""
    words = sentence.split(" ")
    able = [at for at, word in enumerate(words)
            if len(word) >= 4 and word.isalpha() and word not in TYPO_FREE]
    for at in rng.sample(able, min(len(able), rng.choice([1, 1, 1, 2]))):
        words[at] = _misspell(rng, words[at])
    return " ".join(words)


def _fill(rng, text):
    """Fills the alternatives and slots; gives the sentence, its fields and the first meaning."""
    text = re.sub(r"\[([^\]]*)\]", lambda hit: rng.choice(hit.group(1).split("|")), text)
    names = re.findall(r"\{(\w+)\}", text)
    spoken, fields = {}, {}
    for name in sorted(names, key=lambda name: name.startswith("other_")):
        spoken[name], meaning = SLOTS[name](rng, fields)
        fields.update(meaning)
    first = next(name for name in names if not name.startswith("other_"))
    return text.format(**spoken), fields, spoken[first]


def make(rng, intent, typo_share=0.25):
    """One example of an intent."""
    number = rng.randrange(len(NINE[intent]))
    kind, text, fixed = NINE[intent][number]
    sentence, fields, first = _fill(rng, text)
    before, after = rng.choice(BEFORE[kind]), rng.choice(AFTER[kind])
    sentence = before + sentence
    if "please" not in sentence or "please" not in after:
        sentence += after
    if rng.random() < typo_share:
        sentence = _with_typos(rng, sentence)
    question = kind == "ask" or before.startswith(("could", "can", "would"))
    sentence += rng.choice(["", "", "?" if question else ".", "?" if question else "!"])
    if rng.random() < 0.35:
        sentence = sentence[0].upper() + sentence[1:]
    action = action_text({"intent": intent, **fields, **fixed})
    return Example(intent, sentence, action, f"{intent}/{number}/{first}")


def held_out(intents, per_intent, seed):
    """Sentences for measuring: the first half of kept-out combinations, then ordinary ones."""
    rng = random.Random(seed)
    halves, seen = ([], []), set()
    for intent in intents:
        wanted = {True: per_intent // 2, False: per_intent - per_intent // 2}
        while any(wanted.values()):
            example = make(rng, intent)
            kept_out, same = is_kept_out(example.combination), normalised(example.sentence)
            if wanted[kept_out] and same not in seen:
                seen.add(same)
                wanted[kept_out] -= 1
                halves[0 if kept_out else 1].append(example)
    return halves[0] + halves[1]


def training(intents, count, seed, forbidden):
    """`count` different examples, evenly over the intents, without any forbidden sentence."""
    rng = random.Random(seed)
    seen, examples = set(), []
    while len(examples) < count:
        example = make(rng, intents[len(examples) % len(intents)])
        if is_kept_out(example.combination) or example.sentence in seen:
            continue
        if normalised(example.sentence) in forbidden:
            continue
        seen.add(example.sentence)
        examples.append(example)
    rng.shuffle(examples)
    return examples
