/** What people do with steps in the builder; the step that is open stays open wherever it goes. */
import type { Ref } from 'vue'
import { blockAround, everyStep, listOf, placeIn, stepAt, stepsAt, type Place } from './places'
import { isBlock } from './steps'
import type { TaskEditor } from './useTaskDocument'

export interface StepVerbs {
  choose: (place: Place) => void
  insert: (list: Place, at: number) => void
  insertBlock: (list: Place, at: number) => void
  move: (from: Place, list: Place, to: number) => void
  /** Move by arrow: one place up or down, into the block above, or out of its block. */
  nudge: (place: Place, way: Way) => void
  duplicate: (place: Place) => void
  remove: (place: Place) => void
}
export type Way = 'up' | 'down' | 'in' | 'out'

export function useStepVerbs(editor: TaskEditor, chosen: Ref<Place>, choose: (place: Place) => void): StepVerbs {
  const named = (name: unknown): Place | undefined => everyStep(editor.task.value).find(([, step]) => step.name === name)?.[0]

  /** Edit, then find the open step again: by its name, as places change. */
  function keeping(edit: () => void): void {
    const open = stepAt(editor.task.value, chosen.value)
    edit()
    if (open) chosen.value = named(open.name) ?? ''
  }

  const move = (from: Place, list: Place, to: number): void => keeping(() => editor.move(from, list, to))

  function nudge(place: Place, way: Way): void {
    const { list, at } = listOf(place)
    const around = blockAround(place)
    if (way === 'up' || way === 'down') move(place, list, at + (way === 'up' ? -1 : 1))
    else if (way === 'out' && around) move(place, listOf(around).list, listOf(around).at + 1)
    else if (way === 'in' && at > 0) enter(place, placeIn(list, at - 1))
  }

  function enter(place: Place, block: Place): void {
    const task = editor.task.value
    const above = stepAt(task, block)
    const moved = stepAt(task, place)
    if (above && moved && isBlock(above) && !isBlock(moved)) move(place, `${block}.steps`, stepsAt(task, `${block}.steps`).length)
  }

  return {
    choose,
    insert: (list, at) => (editor.insert(list, at), choose(placeIn(list, at))),
    insertBlock: (list, at) => (editor.insertBlock(list, at), choose(placeIn(list, at))),
    move,
    nudge,
    duplicate: (place) => (editor.duplicate(place), choose(placeIn(listOf(place).list, listOf(place).at + 1))),
    remove: (place) => keeping(() => editor.remove(place)),
  }
}
