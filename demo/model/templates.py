"""The sentences of every intent, as data.

A template is `(kind, text, fixed)`. `{slot}` is filled from `words.SLOTS`, `[a|b]` is
one of the alternatives, and `fixed` is the part of the action that the wording itself
decides. The kind says which polite words may go around it:

* `do`   an order that begins with a verb ("could you ... please")
* `say`  a statement or a negation ("hey, ...", "... please")
* `ask`  a question

Meaning of negations: a bare "don't ..." keeps the fields of the refused action and adds
`"not":true`. When the sentence goes on to say what is wanted instead, the action is the
wanted one and has no `not`. "Leave it unlocked" asks for the state it names.
"""

_LIGHT = "[light|lights|lamp]"
_NOT = "[don't|do not|never|please don't]"
_NO_NEED = "[no need to|you don't have to|don't]"
_OOPS = "[no wait|sorry|i mean|no]"
_WANT = "[i want|i need|i'd like|i would like]"
NOT = {"not": True}

SIX = {
    "set_light": [
        ("do", f"[turn|switch] {{on_off}} the {{room}} {_LIGHT}", {}),
        ("do", f"[turn|switch] the {{room}} {_LIGHT} {{on_off}}", {}),
        ("do", "[turn|switch] {on_off} the [light|lights] in the {room}", {}),
        ("do", f"[dim|set|bring|put|change] the {{room}} {_LIGHT} to {{level}}", {"state": "on"}),
        ("do", "set the [brightness|light level|light] in the {room} to {level}", {"state": "on"}),
        ("do", f"[make|turn|set] the {{room}} {_LIGHT} {{color}}", {"state": "on"}),
        ("do", f"set the {{room}} {_LIGHT} to {{color}} at {{level}}", {"state": "on"}),
        ("do", "give me {level} [light|brightness] in the {room}", {"state": "on"}),
        ("do", "[light up|brighten] the {room}", {"state": "on"}),
        ("say", "[lights|light] {on_off} in the {room}", {}),
        ("say", "{room} [lights|light] {on_off}", {}),
        ("say", "{room} [lights|light] [at|to] {level}", {"state": "on"}),
        ("say", f"{_WANT} the {{room}} lights {{on_off}}", {}),
        ("say", f"{_WANT} {{color}} light in the {{room}}", {"state": "on"}),
        ("say", "[it's|it is] [too|so] dark in the {room}, [turn on the light|lights on]",
         {"state": "on"}),
        ("say", f"{_NOT} [turn|switch] {{on_off}} the {{room}} {_LIGHT}", NOT),
        ("say", f"{_NOT} [dim|set] the {{room}} {_LIGHT} to {{level}}", {"state": "on", **NOT}),
        ("say", f"{_NOT} turn {{other_on_off}} the {{room}} light, turn it {{on_off}}", {}),
        ("say", f"{_NO_NEED} turn {{other_on_off}} the {{room}} lights, "
                "[leave|keep] them {on_off}", {}),
        ("say", f"{_NOT} set the {{room}} {_LIGHT} to {{other_level}}, [make it|use] {{level}}",
         {"state": "on"}),
        ("do", "turn {on_off} the {room} light, not the {other_room} [one|light]", {}),
        ("do", f"turn {{on_off}} the {{other_room}} light, {_OOPS}, the {{room}} [one|light]", {}),
    ],
    "set_temperature": [
        ("do", "[set|put|bring|change] the {room} to {degrees}", {}),
        ("do", "set the temperature in the {room} to {degrees}", {}),
        ("do", "[set|turn] the {room} [thermostat|heating|heater] to {degrees}", {}),
        ("do", "[heat|warm|cool] the {room} [up |down |]to {degrees}", {}),
        ("do", "[make|keep] [it|the air] {degrees} in the {room}", {}),
        ("do", "[keep|hold] the {room} at {degrees}", {}),
        ("say", f"{_WANT} {{degrees}} in the {{room}}", {}),
        ("say", f"{_WANT} the {{room}} [to be |]at {{degrees}}", {}),
        ("say", "{room} [thermostat|temperature|heating] [to|at] {degrees}", {}),
        ("say", "[it's|it is] [too cold|too warm|freezing|too hot] in the {room}, "
                "[make it|set it to|go to] {degrees}", {}),
        ("say", f"{_NOT} [set|heat|cool] the {{room}} to {{degrees}}", NOT),
        ("say", f"{_NOT} [set|heat|cool] the {{room}} to {{other_degrees}}, "
                "[make it|set it to] {degrees}", {}),
        ("say", f"{_NO_NEED} [heat|cool] the {{other_room}}, [set|bring] the {{room}} to "
                "{degrees}", {}),
        ("do", f"set the {{room}} to {{other_degrees}}, {_OOPS}, {{degrees}}", {}),
    ],
    "lock_door": [
        ("do", "[lock|bolt|secure] the {door}", {"state": "locked"}),
        ("do", "[make sure|check that] the {door} is [locked|shut and locked]",
         {"state": "locked"}),
        ("do", "lock up the {door}", {"state": "locked"}),
        ("do", "unlock the {door}", {"state": "unlocked"}),
        ("do", "[undo|release|open] the lock [on|of] the {door}", {"state": "unlocked"}),
        ("do", "make sure the {door} is unlocked", {"state": "unlocked"}),
        ("say", f"{_WANT} the {{door}} locked", {"state": "locked"}),
        ("say", f"{_WANT} the {{door}} unlocked", {"state": "unlocked"}),
        ("say", "the {door} [should|must] be locked", {"state": "locked"}),
        ("say", "the {door} [should|must] be unlocked", {"state": "unlocked"}),
        ("say", f"{_NOT} lock the {{door}}", {"state": "locked", **NOT}),
        ("say", f"{_NOT} unlock the {{door}}", {"state": "unlocked", **NOT}),
        ("say", f"{_NO_NEED} lock the {{door}}, [leave|keep] it unlocked", {"state": "unlocked"}),
        ("say", f"{_NO_NEED} unlock the {{door}}, [leave|keep] it locked", {"state": "locked"}),
        ("say", f"{_NOT} unlock the {{door}}, lock it", {"state": "locked"}),
        ("say", f"{_NOT} lock the {{door}}, unlock it", {"state": "unlocked"}),
        ("do", "lock the {door}, not the {other_door}", {"state": "locked"}),
        ("do", f"unlock the {{other_door}}, {_OOPS}, the {{door}}", {"state": "unlocked"}),
        ("do", "[leave|keep] the {door} unlocked", {"state": "unlocked"}),
        ("do", "[leave|keep] the {door} locked", {"state": "locked"}),
    ],
    "play_media": [
        ("do", "play {media}", {}),
        ("do", "[put on|start] {media}", {}),
        ("do", "play {media} in the {room}", {}),
        ("do", "[put on|start] {media} in the {room}", {}),
        ("do", "play {media} at {volume}", {}),
        ("do", "play {media} in the {room} at {volume}", {}),
        ("do", "[start|play] {media} on the {room} [speaker|speakers]", {}),
        ("do", "let me hear {media} in the {room}", {}),
        ("say", f"{_WANT} [to hear|to listen to] {{media}}", {}),
        ("say", f"{_WANT} [to hear|to listen to] {{media}} in the {{room}}", {}),
        ("say", "{media} in the {room} at {volume}", {}),
        ("say", f"{_NOT} play {{media}}", NOT),
        ("say", f"{_NOT} play {{media}} in the {{room}}", NOT),
        ("say", f"{_NOT} play {{other_media}}, [play|put on] {{media}}", {}),
        ("say", "not {other_media}, play {media} in the {room}", {}),
        ("do", f"play {{media}} in the {{other_room}}, {_OOPS}, in the {{room}}", {}),
    ],
    "start_timer": [
        ("do", "[set|start] a timer for {duration}", {}),
        ("do", "[set|start] a {label} timer for {duration}", {}),
        ("do", "[set|start] a timer for the {label} for {duration}", {}),
        ("do", "[set|start] a timer of {duration} for the {label}", {}),
        ("do", "[remind|tell|call] me in {duration}", {}),
        ("do", "[remind me of|tell me about|watch] the {label} in {duration}", {}),
        ("do", "count down {duration}", {}),
        ("do", "time the {label} for {duration}", {}),
        ("say", "timer for {duration}", {}),
        ("say", "{label} timer {duration}", {}),
        ("say", f"{_WANT} a timer for {{duration}}", {}),
        ("say", f"{_WANT} a {{label}} timer for {{duration}}", {}),
        ("say", "the {label} [needs|takes] {duration}, start a timer", {}),
        ("say", f"{_NOT} [set|start] a timer for {{duration}}", NOT),
        ("say", f"{_NOT} [set|start] a {{label}} timer for {{duration}}", NOT),
        ("do", f"set a timer for {{other_duration}}, {_OOPS}, {{duration}}", {}),
        ("say", f"{_NOT} set the {{label}} timer for {{other_duration}}, "
                "[make it|set it for] {duration}", {}),
    ],
    "query_sensor": [
        ("ask", "what is the {sensor} in the {room}", {}),
        ("ask", "what's the {sensor} [in|of] the {room}", {}),
        ("ask", "{sensor_question} in the {room}", {}),
        ("ask", "[do you know|can you see] the {sensor} in the {room}", {}),
        ("do", "[tell|give|show] me the {sensor} in the {room}", {}),
        ("do", "[read|check|report] the {sensor} in the {room}", {}),
        ("do", "[read|check|report] the {room} {sensor}", {}),
        ("say", f"{_WANT} to know the {{sensor}} in the {{room}}", {}),
        ("say", "{sensor} in the {room}", {}),
        ("say", "{room} {sensor}", {}),
        ("ask", "how many degrees [celsius |]is it in the {room}",
         {"sensor": "temperature", "unit": "C"}),
        ("ask", "how many degrees fahrenheit is it in the {room}",
         {"sensor": "temperature", "unit": "F"}),
        ("do", "[tell|give] me the {room} temperature in [fahrenheit|degrees fahrenheit]",
         {"sensor": "temperature", "unit": "F"}),
        ("say", f"{_NOT} [read|report|check] the {{sensor}} in the {{room}}", NOT),
        ("do", "[read|check|show] the {sensor} in the {room}, not the {other_sensor}", {}),
        ("do", f"check the {{sensor}} in the {{other_room}}, {_OOPS}, in the {{room}}", {}),
    ],
}

_BLINDS = "[blinds|blind|shades|shutters]"
THREE = {
    "vacuum_start": [
        ("do", "[vacuum|hoover] the {room}", {}),
        ("do", "[vacuum|hoover] the {room} {passes}", {}),
        ("do", "[vacuum|hoover] the {room} in {mode} mode", {}),
        ("do", "[start|run] the [vacuum|robot|hoover] in the {room}", {}),
        ("do", "[start|run] the [vacuum|robot] in the {room} {passes}", {}),
        ("do", "[start|run] the [vacuum|robot] in {mode} mode in the {room}", {}),
        ("do", "[send|get] the [vacuum|robot] to [clean|do] the {room}", {}),
        ("do", "clean the {room} floor", {}),
        ("do", "clean the {room} floor {passes} in {mode} mode", {}),
        ("say", "the {room} [floor|carpet] is [dirty|dusty], [vacuum|hoover] it", {}),
        ("say", f"{_WANT} the {{room}} [vacuumed|hoovered]", {}),
        ("say", f"{_NOT} [vacuum|hoover] the {{room}}", NOT),
        ("say", f"{_NOT} [start|run] the [vacuum|robot] in the {{room}}", NOT),
        ("say", f"{_NO_NEED} [vacuum|hoover] the {{other_room}}, do the {{room}}", {}),
        ("do", f"vacuum the {{other_room}}, {_OOPS}, the {{room}}", {}),
        ("do", "vacuum the {room}, not the {other_room}", {}),
    ],
    "set_irrigation": [
        ("do", "water the {zone} for {watering}", {}),
        ("do", "[water|irrigate] the {zone} at {clock}", {}),
        ("do", "water the {zone} for {watering} at {clock}", {}),
        ("do", "water the {zone} {days} at {clock}", {}),
        ("do", "water the {zone} {days} for {watering}", {}),
        ("do", "[run|start|turn on] the sprinklers [on|in] the {zone} for {watering}", {}),
        ("do", "[run|start] the sprinklers [on|in] the {zone} at {clock}", {}),
        ("do", "set the [irrigation|sprinklers] for the {zone} to {watering} {days}", {}),
        ("do", "give the {zone} [some |]water for {watering}", {}),
        ("say", "the {zone} [needs|should get] water for {watering}", {}),
        ("say", f"{_WANT} the {{zone}} watered at {{clock}}", {}),
        ("say", "at {clock} water the {zone} for {watering}", {}),
        ("say", f"{_NOT} [water|irrigate] the {{zone}}", NOT),
        ("say", f"{_NOT} water the {{zone}} {{days}}", NOT),
        ("say", f"{_NOT} water the {{zone}} for {{other_watering}}, make it {{watering}}", {}),
        ("do", f"water the {{other_zone}}, {_OOPS}, the {{zone}} for {{watering}}", {}),
    ],
    "blinds_position": [
        ("do", f"open the {{room}} {_BLINDS}", {"position": 100}),
        ("do", f"[close|shut] the {{room}} {_BLINDS}", {"position": 0}),
        ("do", f"[raise|pull up] the {_BLINDS} in the {{room}}", {"position": 100}),
        ("do", f"[lower|pull down] the {_BLINDS} in the {{room}}", {"position": 0}),
        ("do", f"[set|move|put] the {{room}} {_BLINDS} to {{position}}", {}),
        ("do", f"[raise|lower|open|move] the {_BLINDS} in the {{room}} to {{position}}", {}),
        ("do", f"[open|move] the {{room}} {_BLINDS} halfway", {"position": 50}),
        ("say", f"{{room}} {_BLINDS} [at|to] {{position}}", {}),
        ("say", f"{_WANT} the {{room}} blinds open", {"position": 100}),
        ("say", f"{_WANT} the {{room}} blinds [closed|shut]", {"position": 0}),
        ("say", "the sun [blinds|bothers] me in the {room}, [close|shut] the blinds",
         {"position": 0}),
        ("say", f"{_NOT} open the {{room}} {_BLINDS}", {"position": 100, **NOT}),
        ("say", f"{_NOT} [close|shut] the {{room}} {_BLINDS}", {"position": 0, **NOT}),
        ("say", f"{_NOT} close the {{room}} {_BLINDS}, open them", {"position": 100}),
        ("say", f"{_NO_NEED} open the {{room}} {_BLINDS}, [leave|keep] them closed",
         {"position": 0}),
        ("say", f"{_NOT} move the {{room}} {_BLINDS} to {{other_position}}, "
                "make it {position}", {}),
        ("do", f"open the {{other_room}} blinds, {_OOPS}, the {{room}} ones", {"position": 100}),
    ],
}
NINE = {**SIX, **THREE}
