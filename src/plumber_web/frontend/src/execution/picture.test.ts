import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { effectScope, nextTick } from 'vue'
import { createPinia, setActivePinia } from 'pinia'
import { apply, durationAt, pictureOf, stateAt, type Matrix } from './picture'
import { nextFailure, rowsOf, statesOf, sumsOf } from './rows'
import { useExecution } from './useExecution'
import * as client from '@/api/client'
import * as events from '@/api/events'

const matrix = (): Matrix =>
  ({
    id: 'e1', task: 'deploy', state: 'running', created_at: '2026-01-01T00:00:00Z', event: '7', cancel_requested: false,
    state_names: ['ready', 'running', 'succeeded', 'failed'],
    steps: [{ index: 0, name: 'a' }, { index: 1, name: 'b' }],
    hosts: [{ id: 'h2', name: 'web10' }, { id: 'h1', name: 'web2' }, { id: 'h3', name: 'db' }],
    states: [[1, 2, 3], [0, 0, -1]],
    started: [[1, 1, 1], [null, null, null]],
    ended: [[null, 3, 9], [null, null, null]],
    exit_codes: [[null, 0, 1], [null, null, null]],
  }) as unknown as Matrix
const event = (kind: string, agent: string | null, data: Record<string, unknown> = {}): events.PlumberEvent => ({ id: '8', at: '2026-01-01T00:00:05Z', kind, execution: 'e1', agent, data })

it('changes one cell for one event and keeps the counts', () => {
  const picture = pictureOf(matrix())
  expect(apply(picture, event('step.failed', 'h2', { step: 0, exit_code: 3 }))).toBe('cell')
  expect(stateAt(picture, 0, 0)).toBe('failed')
  expect(picture.columns[0]!.exits[0]).toBe(3)
  expect(durationAt(picture, 0, 0, 100)).toBe(4)
  expect(picture.columns[0]!.counts).toEqual({ running: 0, succeeded: 1, failed: 2 })
  expect(sumsOf(picture.counts)).toMatchObject({ ok: 1, failed: 2, running: 0, waiting: 2, total: 5 })
})

it('takes the steps that a failure skips from its event', () => {
  const picture = pictureOf(matrix())
  apply(picture, event('step.failed', 'h2', { step: 0, exit_code: 1, skipped: [1, 9] }))
  expect(stateAt(picture, 1, 0)).toBe('skipped')
  expect(picture.columns[1]!.counts).toEqual({ ready: 1, skipped: 1 })
  apply(picture, event('step.failed', 'h3', { step: 0, skipped: [1] }))
  expect(stateAt(picture, 1, 2)).toBe('')
})

it('knows the step of an ended step execution from its start', () => {
  const picture = pictureOf(matrix())
  apply(picture, event('step.running', 'h1', { step: 1, step_execution: 'e1-1-0-0' }))
  expect(apply(picture, event('step.succeeded', 'h1', { step_execution: 'e1-1-0-0' }))).toBe('cell')
  expect(stateAt(picture, 1, 1)).toBe('succeeded')
})

it('knows for what a rollout waits between two batches', () => {
  const picture = pictureOf({ ...matrix(), rollouts: [{ block: 'roll out', batches: [], waiting: null }] })
  const place = { block: 'roll out', batch: 1, batches: 3 }
  expect(apply(picture, event('batch.finished', null, place))).toBe('execution')
  expect(apply(picture, event('batch.waiting', null, { ...place, pause: 30 }))).toBe('execution')
  expect(picture.matrix.rollouts[0]!.waiting).toEqual({ code: 'batch_pause', ...place, until: '2026-01-01T00:00:35.000Z' })
  apply(picture, event('batch.waiting', null, { ...place, pause: 'manual' }))
  expect(picture.matrix.rollouts[0]!.waiting).toEqual({ code: 'batch_go', ...place })
  apply(picture, event('batch.started', null, { ...place, batch: 2 }))
  expect(picture.matrix.rollouts[0]!.waiting).toBeNull()
  expect(apply(picture, event('batch.started', null, { ...place, block: 'another' }))).toBe('unknown')
})

it('takes a state that the server did not name before', () => {
  const picture = pictureOf(matrix())
  apply(picture, event('step.timed_out', 'h1', { step: 1 }))
  expect(stateAt(picture, 1, 1)).toBe('timed_out')
})

it('asks for the whole when it does not know the place or the execution ended', () => {
  const picture = pictureOf(matrix())
  expect(apply(picture, event('step.running', 'other', { step: 0 }))).toBe('unknown')
  expect(apply(picture, event('step.late', 'h1', { step: 0 }))).toBe('none')
  expect(apply(picture, event('execution.failed', null))).toBe('unknown')
  expect(apply(picture, event('execution.resumed', null))).toBe('unknown')
  for (const kind of ['step_done', 'paused', 'continued']) expect(apply(picture, event(`execution.${kind}`, null))).toBe('unknown')
  expect(apply(picture, event('execution.cancel_requested', null))).toBe('execution')
  expect(picture.matrix.cancel_requested).toBe(true)
})

it('sorts by name as people count, by status with failures first, and filters', () => {
  const picture = pictureOf(matrix())
  const wanted = { search: '', states: [], sort: 'name' as const, step: 0 }
  expect(rowsOf(picture, wanted, 10)).toEqual([2, 1, 0])
  expect(rowsOf(picture, { ...wanted, sort: 'status' }, 10)).toEqual([2, 0, 1])
  expect(rowsOf(picture, { ...wanted, sort: 'duration' }, 10)[0]).toBe(0)
  expect(rowsOf(picture, { ...wanted, search: 'WEB' }, 10)).toEqual([1, 0])
  expect(rowsOf(picture, { ...wanted, states: ['failed'] }, 10)).toEqual([2])
})

it('walks over failures in both directions', () => {
  const picture = pictureOf(matrix())
  apply(picture, event('step.failed', 'h2', { step: 1 }))
  expect(nextFailure(picture, [0, 1, 2], { step: 0, row: 0 }, 1)).toEqual({ step: 0, row: 2 })
  expect(nextFailure(picture, [0, 1, 2], { step: 0, row: 0 }, -1)).toEqual({ step: 1, row: 0 })
})

let frames: FrameRequestCallback[] = []
beforeEach(() => {
  setActivePinia(createPinia())
  frames = []
  vi.stubGlobal('requestAnimationFrame', (run: FrameRequestCallback) => frames.push(run))
  vi.stubGlobal('cancelAnimationFrame', () => (frames = []))
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
})

it('follows from the cursor of the matrix and draws a burst of events once', async () => {
  vi.spyOn(client, 'call').mockResolvedValue(matrix() as never)
  const stop = vi.fn()
  const follow = vi.spyOn(events, 'follow').mockReturnValue(stop)
  const scope = effectScope()
  const watched = scope.run(() => useExecution('e1'))!
  await vi.waitFor(() => expect(follow).toHaveBeenCalled())
  expect(follow.mock.calls[0]![0]).toEqual({ execution: 'e1', after: '7' })
  const listener = follow.mock.calls[0]![1]
  listener.event!(event('step.succeeded', 'h2', { step: 0 }))
  listener.event!(event('step.running', 'h1', { step: 1 }))
  expect(frames).toHaveLength(1)
  frames[0]!(0)
  await nextTick()
  expect(watched.version.value).toBe(2)
  expect(stateAt(watched.picture.value!, 1, 1)).toBe('running')
  vi.useFakeTimers()
  listener.event!(event('step.failed', 'h1', { step: 1 }))
  frames.at(-1)!(0)
  vi.runAllTimers()
  vi.useRealTimers()
  expect(client.call).toHaveBeenCalledOnce()
  scope.stop()
  expect(stop).toHaveBeenCalledOnce()
})

it('states that come and go move no other, until all is over', () => {
  const names = (counts: Record<string, number>): string[] => statesOf(counts).map(([state]) => state)
  expect(names({ blocked: 4, ready: 1 })).toEqual(['running', 'blocked', 'succeeded', 'ready'])
  expect(names({ blocked: 0, ready: 0, running: 2, failed: 1 })).toEqual(['running', 'blocked', 'succeeded', 'failed'])
  expect(names({ blocked: 0, running: 0, succeeded: 3, failed: 1 })).toEqual(['succeeded', 'failed'])
})
