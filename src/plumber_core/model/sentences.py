"""What is said about a task file, by code: English sentences that are gettext identifiers.

``Problem.message`` is such a sentence with its arguments filled in; ``Problem.arguments`` keeps them, so that
another language can be spoken wherever the problem is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import LiteralString

SOURCE: Mapping[str, LiteralString] = {
    "too_large": "The file is too large: {actual} bytes, at most {limit}.",
    "empty": "The file is empty.",
    "bad_encoding": "The file is not UTF-8 (byte {byte}).",
    "byte_order_mark": "The file begins with a byte order mark: save it as UTF-8 without one.",
    "bad_character": "The character {character} is not allowed in a task.",
    "tab": "Tabs cannot indent or separate YAML: use spaces.",
    "yaml_syntax": "This is not YAML: {reason}.",
    "json_syntax": "This is not JSON: {reason}.",
    "toml_syntax": "This is not TOML: {reason}.",
    "quote_expression": "A value that holds an expression and stands inside braces needs quotes.",
    "yaml_version": "Only YAML 1.2 is read.",
    "yaml_tag": "The tag {tag} is not allowed: a task holds plain values only.",
    "several_documents": "The file holds several YAML documents: one task a file.",
    "too_deep": "Values are nested too deeply: at most {limit} levels.",
    "too_many_values": "The file holds too many values: at most {limit}.",
    "too_many_aliases": "The file uses too many aliases: at most {limit}.",
    "unknown_alias": "There is no anchor {alias} above this place.",
    "recursive_alias": "The alias {alias} stands inside of what it names.",
    "bad_merge": "Only a mapping, or a list of mappings, can be merged.",
    "duplicate_key": "{key} stands twice in the same place; the first is at line {first}.",
    "key_not_text": "A key must be text.",
    "not_finite": "{value} is not a finite number.",
    "number_too_large": "The number has more than 64 bits: put it in quotes if it is text.",
    "not_a_value": "A {kind} is not a value of the task language: put it in quotes.",
}

KEYS: Mapping[str, LiteralString] = {
    "not_a_mapping": "A task must be a mapping of keys to values.",
    "unknown_key": "{where} has no key {key}.",
    "not_supported_yet": "{key} is not supported by this release. Remove it: ignoring it silently would run "
    "something else than you wrote.",
    "missing_key": "{key} is missing.",
    "wrong_type": "{key} must be {expected}.",
    "not_a_choice": "{value} is not possible here.",
    "too_long": "{key} is too long: at most {limit} characters.",
    "bad_name": "This cannot be a name: one line of 1 to 200 characters, without spaces around it.",
    "bad_duration": "{value} is not a duration.",
    "bad_value": "{key}: {reason}.",
}

RULES: Mapping[str, LiteralString] = {
    "no_steps": "The task has no steps.",
    "too_many_steps": "The task has {actual} steps: at most {limit}.",
    "duplicate_step": "Another step is called {name} already.",
    "no_command": "Step {step} does nothing: give it run or uses.",
    "unknown_executor": "Neither this server nor an agent knows a type of step {kind}.",
    "unknown_with": "{kind} has no parameter {key}.",
    "bad_with": "{key} of {kind} {reason}.",
    "missing_with": "{kind} needs {key}: give it in with.",
    "unknown_channel": "There is no channel {name} to notify: the server's settings name them.",
    "two_commands": "Step {step} has both run and uses: keep one.",
    "with_without_uses": "with belongs to uses: step {step} has none.",
    "shell_without_run": "shell belongs to run: step {step} has none.",
    "no_target": "Step {step} does not say where it runs: give it or the task a target with on.",
    "bad_target": "{reason}.",
    "bad_batches": "These are no batches: {reason}.",
    "empty_block": "Block {step} has no steps.",
    "nested_block": "A block cannot hold another one.",
    "key_of_block": "{key} belongs to the block, not to a step inside of it: all of its steps share their hosts.",
    "key_of_inner": "{key} belongs to the steps inside of block {step}, not to the block.",
    "key_of_no_always": "A step that always runs has no {key}: it runs once on each host when all else has ended.",
    "key_of_no_gate": "A gate has no {key}: it runs once after each batch, and what fails ends the rollout.",
    "locks_twice": "Step {step} has locks, and the task has some too: locks stand in one of both places, because who "
    "holds one and waits for another may wait for ever.",
    "needs_twice": "{name} stands twice among what the step needs.",
    "needs_inner": "{name} stands inside of a block, is a gate or always runs: name the block, or a step outside of "
    "blocks.",
    "needs_circle": "These steps need each other, so none of them could begin: {circle}.",
    "status_inside": "{name}() tells how it went before a step outside of blocks: inside of a block write it at the "
    "block.",
    "unsafe_retry": "A step whose outcome is unknown may have run: on: lost needs idempotent: true (it may then run "
    "twice), or stop_after (its agent ends it first).",
    "stop_after_too_short": "stop_after must be at least {limit} s: a shorter break of the network would end the "
    "command.",
    "stop_after_missing": "on_disconnect: stop_after does not say after how long: give the step stop_after.",
    "stop_after_unused": "stop_after contradicts on_disconnect: continue: remove one of them.",
    "exit_codes_unused": "exit_codes belong to failures: retry.on does not name failed.",
    "bad_secret": "{name} names no secret: write SCHEME:NAME or SCHEME:NAME#KEY, such as file:db-password.",
    "secret_and_variable": "{name} is both a secret and in env: keep one.",
    "bad_variable_name": "{name} cannot be the name of an environment variable: letters, digits and _ only, no "
    "digit in front.",
    "reserved_variable": "{name} is set by Plumber: choose another name.",
    "bad_parameter_name": "{name} cannot be a parameter, because parameters become environment variables: "
    "letters, digits and _ only, no digit in front.",
    "reserved_parameter": "{name} cannot be a parameter, because the variable steers programs: choose another name.",
    "bad_pattern": "The pattern cannot be used: {reason}.",
    "pattern_without_text": "pattern belongs to string and text: {name} is {type}.",
    "missing_choices": "A parameter of type enum or multi-enum needs choices.",
    "choices_without_enum": "choices belong to enum and multi-enum: {name} is {type}.",
    "duplicate_choice": "{value} stands twice among the choices.",
    "empty_range": "min is greater than max.",
    "range_without_size": "min and max do not fit {type}.",
    "bad_default": "The default does not fit the parameter: it {reason}.",
}

EXPRESSIONS: Mapping[str, LiteralString] = {
    "parameter_in_command": "Expressions never reach a command: they would be pasted into it as code. Write "
    '"${name}" instead: parameters are environment variables.',
    "expression_in_command": "Expressions never reach a command: they would be pasted into it as code. Put the "
    'value in env (VALUE: {expression}) and write "$VALUE" in the command.',
    "expression_not_allowed": "{key} cannot hold an expression: with, on, env and path can.",
    "unclosed_expression": "The expression is not closed: {expected} is missing.",
    "bad_expression": "The expression cannot be understood: {reason}.",
    "expression_too_large": "The expression is too large: at most {limit} {unit}.",
    "unknown_variable": "Expressions know params, steps and agent, not {name}.",
    "unknown_secret": "The step has no secret {name}: give it one in secrets.",
    "secret_not_alone": "A secret is filled in on the host, and nothing else can be done with it here: write "
    "${{ secrets.NAME }} alone, with text around it if need be.",
    "unknown_function": "There is no function {name}.",
    "unknown_parameter": "The task has no parameter {name}.",
    "unknown_step": "The task has no step {name}.",
    "circular_reference": "Step {step} cannot use the outputs of {name}: only those of an earlier step exist.",
    "beside_reference": "Step {step} cannot use the outputs of {name}, which may run at the same time: add it to its "
    "needs.",
    "dynamic_step": 'The name of a step must be written out: steps.NAME or steps["NAME"].',
    "no_output": "Say which output: steps.{name}.outputs.KEY.",
    "not_here": "{name} is not known here, only {expected}.",
}

SENTENCES: Mapping[str, LiteralString] = {**SOURCE, **KEYS, **RULES, **EXPRESSIONS}
SUGGESTION = "Did you mean {nearest}?"
