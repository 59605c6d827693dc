import { expect, it } from 'vitest'
import { useHistory } from './useHistory'

it('goes back and forth', () => {
  const history = useHistory()
  history.reset('a')
  history.write('b')
  history.write('c')
  history.undo()
  expect([history.text.value, history.canUndo.value, history.canRedo.value]).toEqual(['b', true, true])
  history.redo()
  expect(history.text.value).toBe('c')
  history.undo()
  history.write('d')
  history.redo()
  expect([history.text.value, history.canRedo.value]).toEqual(['d', false])
})

it('takes quick edits of one place back together', () => {
  let time = 0
  const history = useHistory(() => time)
  history.reset('')
  for (const text of ['n', 'na', 'nam']) {
    time += 200
    history.write(text, 'name')
  }
  history.undo()
  expect(history.text.value).toBe('')
  history.write('x', 'name')
  time += 5000
  history.write('xy', 'name')
  history.undo()
  expect(history.text.value).toBe('x')
})
