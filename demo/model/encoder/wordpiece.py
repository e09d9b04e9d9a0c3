"""WordPiece as BERT encoders in GGUF files have it: cut into words, then the longest pieces from the left.

The pieces are, in this order: five control pieces, the mark of a word's beginning, all printable
ASCII characters that are not upper case, the digits behind that mark, then learnt pieces.
"""

import json
import unicodedata

from tokenizer import SPACE, learn_merges

CONTROL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PAD, UNK, CLS, SEP, MASK = range(5)
TYPE_NORMAL, TYPE_CONTROL = 1, 3
CHARACTERS = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
DIGITS = [SPACE + digit for digit in "0123456789"]
PLAIN = CONTROL + [SPACE] + CHARACTERS + DIGITS
MAX_WORD = 100


def words_of(text):
    """Lower case without accents, cut at spaces; each punctuation character is a word.

    For texts without Chinese characters, which BERT cuts one by one.
    """
    spaced = []
    for character in unicodedata.normalize("NFD", text):
        kind = unicodedata.category(character)
        if kind[0] == "P" or kind[0] == "S" and character < "\x7f":
            spaced += [" ", character, " "]
        elif character.isspace() or kind[0] not in "CM":
            spaced.append(character.lower())
    return "".join(spaced).split()


class WordPiece:
    """Pieces by number; turns a text into ids."""

    def __init__(self, pieces):
        self.pieces = pieces
        self.types = [TYPE_CONTROL] * len(CONTROL) + [TYPE_NORMAL] * (len(pieces) - len(CONTROL))
        self._ids = {piece: at for at, piece in enumerate(pieces) if at >= len(CONTROL)}
        self._longest = max(map(len, self._ids))

    @classmethod
    def train(cls, texts, size):
        """Learns the pieces that texts are most often made of."""
        spaced = ["".join(" " + word for word in words_of(text)) for text in texts]
        known, learnt, wanted = set(PLAIN), [], size - len(PLAIN)
        # A merge may spell what is a plain piece already; a few more make up for it.
        for piece in learn_merges(spaced, wanted + len(DIGITS)):
            if piece not in known and len(learnt) < wanted:
                learnt.append(piece)
        return cls(PLAIN + learnt)

    @classmethod
    def load(cls, path):
        with open(path, encoding="utf-8") as file:
            return cls(json.load(file)["pieces"])

    def save(self, path):
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"pieces": self.pieces}, file, ensure_ascii=False, indent=0)

    def _spell(self, word):
        text, at, ids = SPACE + word, 0, []
        while at < len(text):
            for end in range(min(len(text), at + self._longest), at, -1):
                if text[at:end] in self._ids:
                    ids.append(self._ids[text[at:end]])
                    at = end
                    break
            else:
                return [UNK]
        return ids if len(word) <= MAX_WORD else [UNK]

    def encode(self, text):
        """The ids the model reads: the text between [CLS] and [SEP]."""
        return [CLS] + [number for word in words_of(text) for number in self._spell(word)] + [SEP]
