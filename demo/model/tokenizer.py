"""A small SentencePiece-like tokenizer: a BPE trainer and the encoder that GGUF readers use.

The pieces are, in this order: five control pieces, 256 bytes, all printable ASCII
characters and the space mark, then the learnt merges. The score of a merge is minus its
rank, so joining the adjacent pair with the highest score again and again repeats the
training.
"""

import json
import re
from collections import Counter

SPACE = "\u2581"
CONTROL = ["<unk>", "<s>", "</s>", "<|user|>", "<|assistant|>"]
UNK, BOS, EOS, USER, ASSISTANT = range(5)
TYPE_NORMAL, TYPE_UNKNOWN, TYPE_CONTROL, TYPE_BYTE = 1, 2, 3, 6
FIRST_BYTE = len(CONTROL)
CHARACTERS = [SPACE] + [chr(code) for code in range(33, 127)]
# Parts of a text inside which merges are learnt: JSON structure, words, single characters.
_PARTS = re.compile(r'\{"intent":"|"?,"[a-z]+":"?|"?\}| ?[A-Za-z_\']+|\d| ?[^A-Za-z\d ]| ')


def _parts(text):
    return [part.replace(" ", SPACE) for part in _PARTS.findall(text)]


def learn_merges(texts, count):
    """The `count` most frequent merges, one after the other; ties go to the smaller pair."""
    words = Counter(part for text in texts for part in _parts(text))
    spelled = {word: list(word) for word in words}
    merges = []
    while len(merges) < count:
        pairs = Counter()
        for word, pieces in spelled.items():
            for pair in zip(pieces, pieces[1:]):
                pairs[pair] += words[word]
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merged = "".join(best)
        if merged not in merges:
            merges.append(merged)
        for pieces in spelled.values():
            at = 0
            while at + 1 < len(pieces):
                if pieces[at] == best[0] and pieces[at + 1] == best[1]:
                    pieces[at:at + 2] = [merged]
                at += 1
    return merges


class Tokenizer:
    """Pieces with scores; turns text into ids and back."""

    def __init__(self, merges):
        byte_pieces = [f"<0x{byte:02X}>" for byte in range(256)]
        self.pieces = CONTROL + byte_pieces + CHARACTERS + merges
        plain = len(self.pieces) - len(merges)
        self.scores = [0.0] * plain + [-float(rank + 1) for rank in range(len(merges))]
        self.types = ([TYPE_UNKNOWN] + [TYPE_CONTROL] * 4 + [TYPE_BYTE] * 256
                      + [TYPE_NORMAL] * (len(CHARACTERS) + len(merges)))
        first_normal = len(CONTROL) + 256
        self._ids = {piece: first_normal + at
                     for at, piece in enumerate(self.pieces[first_normal:])}

    @classmethod
    def train(cls, texts, size):
        return cls(learn_merges(texts, size - len(CONTROL) - 256 - len(CHARACTERS)))

    @classmethod
    def load(cls, path):
        with open(path, encoding="utf-8") as file:
            return cls(json.load(file)["merges"])

    def save(self, path):
        merges = self.pieces[len(CONTROL) + 256 + len(CHARACTERS):]
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"merges": merges}, file, ensure_ascii=False, indent=0)

    def encode(self, text):
        """The ids of a text, without any control piece."""
        pieces = list(text.replace(" ", SPACE))
        while True:
            best, best_at = None, -1
            for at in range(len(pieces) - 1):
                known = self._ids.get(pieces[at] + pieces[at + 1])
                if known is not None and (best is None or self.scores[known] > best):
                    best, best_at = self.scores[known], at
            if best is None:
                break
            pieces[best_at:best_at + 2] = [pieces[best_at] + pieces[best_at + 1]]
        ids = []
        for piece in pieces:
            if piece in self._ids:
                ids.append(self._ids[piece])
            else:
                ids.extend(FIRST_BYTE + byte for byte in piece.encode())
        return ids

    def decode(self, ids):
        """The text of ids; control pieces are left out."""
        out = bytearray()
        for number in ids:
            if self.types[number] == TYPE_BYTE:
                out.append(number - FIRST_BYTE)
            elif self.types[number] == TYPE_NORMAL:
                out += self.pieces[number].replace(SPACE, " ").encode()
        return out.decode("utf-8", "replace")

    def prompt(self, sentence):
        """The ids the model reads before it answers."""
        return [BOS, USER] + self.encode(sentence) + [ASSISTANT]
