import { mount } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, describe, expect, it } from 'vitest'
import { defineComponent, h, ref, type Ref } from 'vue'
import { createI18n } from 'vue-i18n'
import { everyStep } from './places'
import { useStepVerbs, type StepVerbs } from './useStepVerbs'
import { useTaskDocument, type TaskEditor } from './useTaskDocument'
import { messages as en } from '@/locales/en/tasks'

const SOURCE = `name: a
steps:
  - name: roll out
    steps:
      - name: stop
        run: x
      - name: start
        run: y
  - name: look
    run: z
always:
  - name: tidy
    run: w
`

function begin(): { editor: TaskEditor; chosen: Ref<string>; verbs: StepVerbs; names: () => string[] } {
  let editor!: TaskEditor
  const Editor = defineComponent({
    setup() {
      editor = useTaskDocument()
      return () => h('p')
    },
  })
  mount(Editor, { global: { plugins: [createI18n({ legacy: false, locale: 'en', messages: { en } as never })] } })
  editor.history.write(SOURCE, 'yaml')
  const chosen = ref('')
  const verbs = useStepVerbs(editor, chosen, (place) => (chosen.value = place))
  return { editor, chosen, verbs, names: () => everyStep(editor.task.value).map(([place, step]) => `${place} ${step.name}`) }
}

describe('steps', () => {
  beforeEach(() => setActivePinia(createPinia()))

  it('enter the block above by an arrow and leave it by another', () => {
    const { chosen, verbs, names } = begin()
    verbs.choose('steps[1]')
    verbs.nudge('steps[1]', 'in')
    expect(names().slice(0, 4)).toEqual(['steps[0] roll out', 'steps[0].steps[0] stop', 'steps[0].steps[1] start', 'steps[0].steps[2] look'])
    expect(chosen.value).toBe('steps[0].steps[2]')
    verbs.nudge('steps[0].steps[2]', 'out')
    expect(names()[3]).toBe('steps[1] look')
    expect(chosen.value).toBe('steps[1]')
  })

  it('stay where no arrow leads further', () => {
    const { editor, verbs } = begin()
    for (const way of ['up', 'in', 'out'] as const) verbs.nudge('steps[0]', way)
    verbs.nudge('steps[1]', 'down')
    verbs.nudge('always[0]', 'in')
    expect(editor.history.text.value).toBe(SOURCE)
  })

  it('stay open while others move, and close when they are deleted', () => {
    const { chosen, verbs } = begin()
    verbs.choose('steps[0].steps[1]')
    verbs.move('steps[1]', 'steps', 0)
    expect(chosen.value).toBe('steps[1].steps[1]')
    verbs.remove('steps[1].steps[0]')
    expect(chosen.value).toBe('steps[1].steps[0]')
    verbs.remove('steps[1].steps[0]')
    expect(chosen.value).toBe('')
  })

  it('are open as soon as they are there', () => {
    const { chosen, verbs, names } = begin()
    verbs.insert('always', 1)
    expect([chosen.value, names().at(-1)]).toEqual(['always[1]', 'always[1] step'])
    verbs.duplicate('steps[0]')
    expect([chosen.value, ...names().slice(3, 6)]).toEqual(['steps[1]', 'steps[1] roll out copy', 'steps[1].steps[0] stop copy', 'steps[1].steps[1] start copy'])
  })
})
