/**
 * Python source of the rule by which the program of a function is run, as against a whole program: `define(entry, text,
 * space)` runs it in the namespace `space`. Shared by the backends that run Python.
 *
 * - Statements up to the last one that binds the entry point run as a unit, and must not raise.
 * - Statements below it run one by one; one that raises, or does not compile, is passed over.
 * - Top-level asserts, calls of `print` or of the entry point whose result nobody uses, and a block under
 *   `if __name__ == "__main__":` do not run at all.
 * - Of a text that does not parse, the longest run of whole top-level lines that parses and binds the entry point counts.
 *
 * Without an entry point (`entry` is empty) the last function or class takes its place. Everything is compiled before
 * anything runs, so that no statement of a program has a say in how the others are read.
 */
export const DEFINITION_PYTHON = String.raw`
import _ast, __future__

PARSE = _ast.PyCF_ONLY_AST
FUTURE = 0
for feature in __future__.all_feature_names:
    FUTURE |= getattr(__future__, feature).compiler_flag
DEFINITIONS = (_ast.FunctionDef, _ast.AsyncFunctionDef, _ast.ClassDef)
# Lines that go on with what the lines above began.
GOES_ON = (' ', '\t', '\f', '#', ')', ']', '}')
MOST_PARTS = 200


def target_binds(target, name):
    if type(target) is _ast.Name:
        return target.id == name
    if type(target) in (_ast.Tuple, _ast.List):
        return any([target_binds(element, name) for element in target.elts])
    return type(target) is _ast.Starred and target_binds(target.value, name)


def imports_as(statement, name):
    return any([(alias.asname or alias.name.split('.')[0]) == name for alias in statement.names])


def is_main_block(statement):
    if type(statement) is not _ast.If or statement.orelse or type(statement.test) is not _ast.Compare:
        return False
    test = statement.test
    sides = [test.left, *test.comparators]
    names = [side.id for side in sides if type(side) is _ast.Name]
    values = [side.value for side in sides if type(side) is _ast.Constant]
    return type(test.ops[0]) is _ast.Eq and names == ['__name__'] and values == ['__main__']


def binds(statement, entry):
    """Whether a statement at the top level binds the name; with no name, whether it defines a function or class."""
    kind = type(statement)
    if kind in DEFINITIONS:
        return not entry or statement.name == entry
    if entry:
        if kind in (_ast.Import, _ast.ImportFrom):
            return imports_as(statement, entry)
        if kind is _ast.Assign:
            return any([target_binds(target, entry) for target in statement.targets])
        if kind in (_ast.AnnAssign, _ast.AugAssign):
            return statement.value is not None and target_binds(statement.target, entry)
    inner = []
    for field in ('body', 'orelse', 'finalbody'):
        inner += getattr(statement, field, [])
    for field in ('handlers', 'cases'):
        for block in getattr(statement, field, []):
            inner += block.body
    return not is_main_block(statement) and any([binds(each, entry) for each in inner if isinstance(each, _ast.stmt)])


def is_dropped(statement, entry, own_print):
    if type(statement) is _ast.Assert or is_main_block(statement):
        return True
    if type(statement) is not _ast.Expr or type(statement.value) is not _ast.Call:
        return False
    function = statement.value.func
    return type(function) is _ast.Name and (function.id == 'print' and not own_print or function.id == entry)


def last_binding(body, entry):
    found = -1
    for index, statement in enumerate(body):
        if binds(statement, entry):
            found = index
    return found


def parsed(text):
    return compile_(text, FILE, 'exec', PARSE, True).body


def longest_part(text, entry):
    """The statements of the longest part that parses and binds the entry point, or None."""
    if '\0' in text:
        return None
    lines = text.split('\n')
    starts = [i for i, line in enumerate(lines) if line.strip() and not line.startswith(GOES_ON)] + [len(lines)]
    best, most = None, 0
    first, last, attempts = 0, len(starts) - 1, 0
    while first < len(starts) - 1 and starts[-1] - starts[first] > most and attempts < MOST_PARTS:
        attempts += 1
        try:
            # Empty lines keep the numbers of the others.
            body = parsed('\n' * starts[first] + '\n'.join(lines[starts[first]:starts[last]]))
        except SyntaxError as e:
            line = (e.lineno or len(lines)) - 1
            last = max([first] + [i for i in range(first, last) if starts[i] <= line])
            if last == first:
                first, last = first + 1, len(starts) - 1
            continue
        if starts[last] - starts[first] > most and last_binding(body, entry) >= 0:
            best, most = body, starts[last] - starts[first]
        first, last = last + 1, len(starts) - 1
    return best


def compiled(body, flags):
    return compile_(_ast.Module(body=body, type_ignores=[]), FILE, 'exec', flags, True)


def units(text, entry):
    """The code that must run, and what runs after it if it can."""
    try:
        body = parsed(text)
    except SyntaxError:
        body = longest_part(text, entry)
        if body is None:
            raise
    last = last_binding(body, entry)
    if last < 0:
        last = len(body) - 1
    own_print = any([binds(statement, 'print') for statement in body])
    kept = [not is_dropped(statement, entry, own_print) for statement in body]
    definition = compiled([statement for statement, keep in zip(body[:last + 1], kept) if keep], 0)
    after = []
    for statement, keep in zip(body[last + 1:], kept[last + 1:]):
        if keep:
            try:
                after.append(compiled([statement], definition.co_flags & FUTURE))
            except SyntaxError:
                pass
    return definition, after


def define(entry, text, space):
    definition, after = units(text, entry)
    exec_(definition, space)
    for code in after:
        try:
            exec_(code, space)
        except BaseException:
            pass
`;
