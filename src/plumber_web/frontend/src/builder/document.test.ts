import { describe, expect, it } from 'vitest'
import { duplicateStep, insertStep, moveStep, readTask, removeStep, setValue } from './document'

const SOURCE = `# who owns this: the shop team
name: demo # never rename
params:
  version: {type: string, pattern: '^v[0-9]+$', required: true, description: 'a rather long description, longer than eighty columns are'}
on: role=web
steps:
  # look first
  - name: look
    run: |
      echo "one"
      echo two   # not a comment of ours

  - name: build # slow
    run: make
    timeout: 1m # enough
    env:
      # picked by hand
      A: "1"
      B: two

  - name: ship
    env: {C: '\${{ params.version }}'}
    run: ship it
`

describe('one edit touches one place', () => {
  it('leaves every other line as it is', () => {
    expect(setValue(SOURCE, ['steps', 1, 'timeout'], '2m')).toBe(SOURCE.replace('timeout: 1m', 'timeout: 2m'))
    expect(setValue(SOURCE, ['name'], 'other')).toBe(SOURCE.replace('name: demo', 'name: other'))
  })

  it('changes a command and keeps it a block', () => {
    expect(setValue(SOURCE, ['steps', 0, 'run'], 'echo three\necho four\n')).toContain('    run: |\n      echo three\n      echo four\n')
    expect(setValue(SOURCE, ['steps', 1, 'run'], 'make\nmake test')).toContain('    run: |-\n      make\n      make test\n')
    expect(setValue(SOURCE, ['steps', 0, 'run'], 'true it is')).toContain('    run: true it is\n')
  })

  it('keeps the comments of the entries that stay in a mapping', () => {
    const next = setValue(SOURCE, ['steps', 1, 'env'], { A: '2', D: 'x' })!
    expect(next).toContain('      # picked by hand\n      A: "2"\n      D: x\n')
    expect(next).not.toContain('B: two')
  })

  it('puts a new key where people look for it', () => {
    const next = setValue(SOURCE, ['description'], 'what it is for')!
    expect(next).toBe(SOURCE.replace('# never rename\n', '# never rename\ndescription: what it is for\n'))
    expect(setValue(next, ['description'], undefined)).toBe(SOURCE)
    expect(setValue(SOURCE, ['steps', 1, 'on'], 'db-1')).toContain('  - name: build # slow\n    on: db-1\n    run: make\n')
  })

  it('writes text that looks like something else with quotes', () => {
    expect(readTask(setValue(SOURCE, ['steps', 1, 'env'], { A: 'true', B: '08' })!)!.steps![1]!.env).toEqual({ A: 'true', B: '08' })
  })

  it('keeps a list without indentation as it is', () => {
    const flat = 'name: a\nsteps:\n- name: x\n  run: y\n'
    expect(setValue(flat, ['steps', 0, 'run'], 'z')).toBe(flat.replace('run: y', 'run: z'))
  })
})

describe('steps', () => {
  const names = (source: string | null) => readTask(source!)!.steps!.map((step) => step.name)

  it('move with their comments', () => {
    const next = moveStep(SOURCE, 'steps[0]', 'steps', 2)!
    expect(names(next)).toEqual(['build', 'ship', 'look'])
    expect(next).toContain('\n  # look first\n  - name: look')
    expect(next).toContain('steps:\n  - name: build # slow')
    expect(moveStep(next, 'steps[2]', 'steps', 0)).toBe(SOURCE)
  })

  it('are inserted with the blank lines of the others', () => {
    const next = insertStep(SOURCE, 'steps', 1, { name: 'new', run: 'echo new' })!
    expect(next).toContain('\n\n  - name: new\n    run: echo new\n\n  - name: build')
    expect(removeStep(next, 'steps[1]')).toBe(SOURCE)
  })

  it('are duplicated under another name', () => {
    const next = duplicateStep(SOURCE, 'steps[1]', () => 'build 2')!
    expect(names(next)).toEqual(['look', 'build', 'build 2', 'ship'])
    expect(next.match(/# picked by hand/g)).toHaveLength(2)
  })

  it('begin in a task that has none', () => {
    expect(insertStep('name: a\nsteps: []\n', 'steps', 0, { name: 'x', run: 'y' })).toBe('name: a\nsteps:\n  - name: x\n    run: y\n')
    expect(names(insertStep('name: a\n', 'steps', 0, { name: 'x', run: 'y' }))).toEqual(['x'])
  })
})

describe('steps of a block and at the end', () => {
  const BLOCK = `name: a
steps:
  - name: look
    run: x
  - name: roll out
    steps:
      # first stop
      - name: stop # gently
        run: y
      - name: start
        run: z
`
  const shape = (source: string | null) => readTask(source!)!.steps!.map((step) => [step.name, ...(step.steps ?? []).map((one) => one.name)])

  it('are moved into the block and out of it, with their comments', () => {
    const inside = moveStep(BLOCK, 'steps[0]', 'steps[1].steps', 1)!
    expect(shape(inside)).toEqual([['roll out', 'stop', 'look', 'start']])
    const outside = moveStep(BLOCK, 'steps[1].steps[0]', 'steps', 0)!
    expect(shape(outside)).toEqual([['stop'], ['look'], ['roll out', 'start']])
    expect(outside).toContain('  # first stop\n  - name: stop # gently\n')
    expect(moveStep(BLOCK, 'steps[1]', 'steps[1].steps', 0)).toBeNull()
  })

  it('are changed, inserted, removed and duplicated in their own list', () => {
    expect(setValue(BLOCK, ['steps', 1, 'steps', 0, 'run'], 'now')).toBe(BLOCK.replace('run: y', 'run: now'))
    expect(shape(insertStep(BLOCK, 'steps[1].steps', 2, { name: 'wait', run: 'w' }))).toEqual([['look'], ['roll out', 'stop', 'start', 'wait']])
    expect(shape(removeStep(BLOCK, 'steps[1].steps[0]'))).toEqual([['look'], ['roll out', 'start']])
    expect(shape(duplicateStep(BLOCK, 'steps[1]', (name) => `${name} 2`))).toEqual([['look'], ['roll out', 'stop', 'start'], ['roll out 2', 'stop 2', 'start 2']])
  })

  it('begin a list at the end of a task, which goes with its last step', () => {
    const some = insertStep(BLOCK, 'always', 0, { name: 'tidy', run: 'rm' })!
    expect(some).toBe(`${BLOCK}always:\n  - name: tidy\n    run: rm\n`)
    expect(removeStep(some, 'always[0]')).toBe(BLOCK)
  })
})

describe('what cannot be edited', () => {
  it('is refused, not guessed', () => {
    expect(setValue('name: [', ['name'], 'b')).toBeNull()
    expect(setValue('- a\n', ['name'], 'b')).toBeNull()
    expect(removeStep('name: a\nsteps:\n  - &one {name: x, run: y}\nlabels: {a: *one}\n', 'steps[0]')).toBeNull()
  })

  it('is not shown as steps', () => {
    expect([readTask('name: ['), readTask('a'), readTask('steps: x'), readTask('steps: [1]'), readTask('always: [1]'), readTask('steps: [{steps: x}]')]).toEqual([null, null, null, null, null, null])
    expect(readTask('name: a')).toEqual({ name: 'a' })
  })
})
