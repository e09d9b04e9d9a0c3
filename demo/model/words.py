"""What can be said in a slot of a sentence, and what it means in the action.

Every slot is a function `(rng, fields) -> (spoken, meaning)`. `fields` holds what
the slots before it already decided, so that a slot such as `other_room` can choose
something different. `meaning` is the part of the action that the words stand for.
"""

ROOMS = {
    "kitchen": ["kitchen"],
    "living room": ["living room", "living room", "lounge", "sitting room"],
    "bedroom": ["bedroom"],
    "bathroom": ["bathroom"],
    "hallway": ["hallway", "hall", "corridor"],
    "office": ["office", "office", "home office"],
    "garage": ["garage"],
    "nursery": ["nursery", "nursery", "baby room"],
    "attic": ["attic", "loft"],
    "basement": ["basement", "cellar"],
    "dining room": ["dining room"],
    "guest room": ["guest room", "spare room"],
    "laundry room": ["laundry room", "utility room"],
    "study": ["study"],
    "all": ["whole house", "entire house"],
}
DOORS = {
    "front": ["front door", "front door", "main door"],
    "back": ["back door", "rear door"],
    "garage": ["garage door"],
    "patio": ["patio door"],
    "side": ["side door"],
    "balcony": ["balcony door"],
    "shed": ["shed door", "shed"],
    "gate": ["gate", "garden gate"],
}
MEDIA = {
    "jazz": ["jazz", "some jazz", "jazz music"],
    "rock": ["rock", "some rock", "rock music"],
    "pop": ["pop music", "some pop"],
    "blues": ["blues", "some blues"],
    "techno": ["techno", "some techno"],
    "country": ["country music", "some country"],
    "classical": ["classical music", "something classical"],
    "news": ["the news", "news"],
    "radio": ["the radio", "radio"],
    "podcast": ["my podcast", "the podcast"],
    "audiobook": ["my audiobook", "the audiobook"],
    "lullabies": ["lullabies", "some lullabies"],
    "white noise": ["white noise", "some white noise"],
    "rain sounds": ["rain sounds", "the sound of rain"],
}
LABELS = {
    "pasta": ["pasta"],
    "eggs": ["eggs"],
    "tea": ["tea"],
    "rice": ["rice"],
    "pizza": ["pizza"],
    "bread": ["bread"],
    "laundry": ["laundry", "washing"],
    "nap": ["nap"],
    "workout": ["workout"],
    "homework": ["homework"],
}
SENSORS = {
    "temperature": ["temperature"],
    "humidity": ["humidity"],
    "co2": ["co2", "co2 level", "carbon dioxide"],
    "brightness": ["brightness", "light level"],
    "noise": ["noise level"],
    "motion": ["motion sensor", "motion"],
    "power": ["power consumption", "power use"],
    "pressure": ["air pressure"],
}
SENSOR_QUESTIONS = {
    "temperature": ["how warm is it", "how cold is it", "how hot is it"],
    "humidity": ["how humid is it", "how damp is it"],
    "brightness": ["how bright is it", "how much light is there"],
    "noise": ["how loud is it", "how noisy is it"],
    "motion": ["is anyone moving", "is there any motion"],
    "power": ["how much power is used"],
}
ZONES = {
    "front lawn": ["front lawn", "front yard"],
    "back lawn": ["back lawn", "backyard"],
    "vegetables": ["vegetables", "vegetable bed", "veggie patch"],
    "roses": ["roses", "rose bed"],
    "herbs": ["herbs", "herb garden"],
    "flowers": ["flowers", "flower bed"],
    "greenhouse": ["greenhouse"],
    "orchard": ["orchard", "fruit trees"],
    "hedge": ["hedge"],
    "pots": ["pots", "patio pots"],
}
COLORS = ["red", "green", "blue", "yellow", "orange", "purple", "pink", "white"]
DAYS = {
    "daily": ["every day", "daily", "each day"],
    "weekdays": ["on weekdays"],
    "weekends": ["on weekends", "at the weekend"],
    **{day: ["on " + day, "every " + day] for day in (
        "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")},
}
MODES = {"quiet": ["quiet", "silent"], "turbo": ["turbo", "max power"], "eco": ["eco"]}
NUMBER_WORDS = {
    1: "one", 2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight",
    9: "nine", 10: "ten", 12: "twelve", 15: "fifteen", 20: "twenty", 25: "twenty five",
    30: "thirty", 40: "forty", 45: "forty five", 50: "fifty", 60: "sixty", 70: "seventy",
    75: "seventy five", 80: "eighty", 90: "ninety", 100: "one hundred",
}


def _named(key, table):
    """A slot that says one of the phrases of a table and means its key."""
    def slot(rng, fields):
        value = rng.choice(list(table))
        return rng.choice(table[value]), {key: value}
    return slot


def _other(key, table):
    """A slot that says something different from what `key` already is, and means nothing."""
    def slot(rng, fields):
        value = rng.choice([name for name in table if name != fields[key]])
        return rng.choice(table[value]), {}
    return slot


def _number(rng, value):
    """A number in digits, now and then in words."""
    if value in NUMBER_WORDS and rng.random() < 0.25:
        return NUMBER_WORDS[value]
    return str(value)


def _percentage(rng):
    """A percentage: round ones are said more often."""
    value = rng.randint(1, 100) if rng.random() < 0.5 else rng.randrange(5, 101, 5)
    form = rng.choice(["{} percent", "{} percent", "{}%", "{}%", "{} per cent"])
    spoken = str(value) + "%" if form == "{}%" else form.format(_number(rng, value))
    return spoken, value


def level(rng, fields):
    """Brightness of a light."""
    if rng.random() < 0.12:
        return rng.choice([("full brightness", {"level": 100}), ("half brightness", {"level": 50}),
                           ("maximum", {"level": 100})])
    spoken, value = _percentage(rng)
    return spoken, {"level": value}


def volume(rng, fields):
    """Loudness of a player."""
    spoken, value = _percentage(rng)
    if rng.random() < 0.4:
        return "volume " + _number(rng, value), {"volume": value}
    return spoken + rng.choice(["", " volume"]), {"volume": value}


def position(rng, fields):
    """How far blinds are open."""
    if rng.random() < 0.15:
        return rng.choice([("halfway", {"position": 50}), ("half open", {"position": 50}),
                           ("fully open", {"position": 100}), ("fully closed", {"position": 0})])
    spoken, value = _percentage(rng)
    return spoken + rng.choice(["", "", " open"]), {"position": value}


def degrees(rng, fields):
    """A temperature; without a unit it is in degrees Celsius."""
    if rng.random() < 0.6:
        value = rng.randint(8, 32)
        spoken = _number(rng, value)
        if rng.random() < 0.2:
            value += 0.5
            spoken = str(value)
        unit = rng.choice([" degrees", " degrees", "", " degrees celsius", " celsius", " c", "c",
                           " degrees c"])
        if unit == "c":
            spoken = str(value)
        return spoken + unit, {"value": value, "unit": "C"}
    value = rng.randint(48, 90)
    unit = rng.choice([" degrees fahrenheit", " fahrenheit", " f", "f", " degrees f"])
    spoken = str(value) if unit == "f" else _number(rng, value)
    return spoken + unit, {"value": value, "unit": "F"}


def duration(rng, fields):
    """A length of time for a timer."""
    kind = rng.random()
    if kind < 0.5:
        value = rng.randint(1, 59) if rng.random() < 0.6 else rng.choice([5, 10, 15, 20, 30, 45])
        word = "minute" if value == 1 else rng.choice(["minutes", "minutes", "min"])
        return _number(rng, value) + " " + word, {"minutes": value}
    if kind < 0.65:
        value = rng.randint(2, 12)
        return _number(rng, value) + " hours", {"hours": value}
    if kind < 0.8:
        value = rng.randint(5, 95)
        return _number(rng, value) + rng.choice([" seconds", " sec"]), {"seconds": value}
    if kind < 0.9:
        hours, minutes = rng.randint(1, 5), rng.randint(1, 59)
        spoken = _number(rng, hours) + (" hour" if hours == 1 else " hours")
        link = rng.choice([" ", " and "])
        return (spoken + link + _number(rng, minutes) + " minutes",
                {"hours": hours, "minutes": minutes})
    return rng.choice([("an hour", {"hours": 1}), ("half an hour", {"minutes": 30}),
                       ("a minute", {"minutes": 1}), ("a quarter of an hour", {"minutes": 15}),
                       ("an hour and a half", {"hours": 1, "minutes": 30})])


def watering(rng, fields):
    """How long the water runs, always told in minutes."""
    value = rng.randint(1, 60)
    word = "minute" if value == 1 else rng.choice(["minutes", "minutes", "min"])
    return _number(rng, value) + " " + word, {"minutes": value}


def clock(rng, fields):
    """A time of day, on a 24-hour clock unless am or pm is said."""
    if rng.random() < 0.06:
        return rng.choice([("noon", {"time": "12:00"}), ("midnight", {"time": "00:00"})])
    minute = rng.choice([0, 0, 0, 15, 30, 45, rng.randint(1, 59)])
    if rng.random() < 0.5:
        hour = rng.randint(0, 23)
        return f"{hour}:{minute:02d}", {"time": f"{hour:02d}:{minute:02d}"}
    hour = rng.randint(1, 12)
    half = rng.choice(["am", "pm"])
    spoken = str(hour) if minute == 0 else f"{hour}:{minute:02d}"
    told = hour % 12 + (12 if half == "pm" else 0)
    return spoken + rng.choice(["", " "]) + half, {"time": f"{told:02d}:{minute:02d}"}


def passes(rng, fields):
    """How often a floor is cleaned in one run."""
    return rng.choice([("twice", {"passes": 2}), ("two times", {"passes": 2}),
                       ("three times", {"passes": 3}), ("3 times", {"passes": 3}),
                       ("2 times", {"passes": 2})])


def on_off(rng, fields):
    """A light's state."""
    state = rng.choice(["on", "off"])
    return state, {"state": state}


def other_on_off(rng, fields):
    """The state that is not wanted."""
    return ("off" if fields["state"] == "on" else "on"), {}


def color(rng, fields):
    """A light's colour."""
    value = rng.choice(COLORS)
    return value, {"color": value}


SLOTS = {
    "room": _named("room", ROOMS),
    "other_room": _other("room", ROOMS),
    "door": _named("door", DOORS),
    "other_door": _other("door", DOORS),
    "media": _named("media", MEDIA),
    "other_media": _other("media", MEDIA),
    "label": _named("label", LABELS),
    "sensor": _named("sensor", SENSORS),
    "other_sensor": _other("sensor", SENSORS),
    "sensor_question": _named("sensor", SENSOR_QUESTIONS),
    "zone": _named("zone", ZONES),
    "other_zone": _other("zone", ZONES),
    "days": _named("days", DAYS),
    "mode": _named("mode", MODES),
    "level": level,
    "volume": volume,
    "position": position,
    "degrees": degrees,
    "duration": duration,
    "watering": watering,
    "clock": clock,
    "passes": passes,
    "on_off": on_off,
    "other_on_off": other_on_off,
    "color": color,
}
for _name in ("level", "degrees", "duration", "watering", "position"):
    def _unwanted(rng, fields, slot=SLOTS[_name]):
        """A value that is said but not wanted."""
        while True:
            spoken, meaning = slot(rng, fields)
            if any(fields.get(key) != value for key, value in meaning.items()):
                return spoken, {}
    SLOTS["other_" + _name] = _unwanted
