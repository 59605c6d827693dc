import { PiniaColada } from '@pinia/colada'
import { flushPromises, shallowMount } from '@vue/test-utils'
import { createPinia } from 'pinia'
import { afterEach, beforeAll, expect, it, vi } from 'vitest'
import { createMemoryHistory, createRouter } from 'vue-router'
import LogPane from './LogPane.vue'
import LogView from './LogView.vue'
import type { LogSource } from './feed'
import * as client from '@/api/client'
import * as events from '@/api/events'
import { i18n, speak } from '@/i18n'
import { FakeLog, out } from '@/logs/testing'

const source = (attempt: string, number: number): LogSource => ({ attempt, step: 0, host: 'h', host_name: 'host', number, started_at: '2026-01-01T00:00:00Z', log_end: 0, log_complete: true })

/** A pane over logs in memory; returns what it shows and what it asked for. */
async function open(props: object, query = '') {
  const logs: Record<string, FakeLog> = { first: new FakeLog(), second: new FakeLog() }
  for (const [name, log] of Object.entries(logs)) log.append(out(`${name} try\n`))
  const asked: string[] = []
  vi.spyOn(client, 'request').mockImplementation(async (path) => {
    asked.push(path)
    const { data, ...place } = await logs[path.split(/[/?]/)[2]!]!.load({ tail: 99 }, 999)
    return new Response(data.slice() as never, { headers: Object.fromEntries(Object.entries(place).map(([name, value]) => [`plumber-log-${name}`, String(value)])) })
  })
  const call = vi.spyOn(client, 'call').mockResolvedValue([source('second', 2)] as never)
  vi.spyOn(events, 'follow').mockReturnValue(() => undefined)
  const router = createRouter({ history: createMemoryHistory(), routes: [{ path: '/', component: {} }] })
  await router.push(`/${query}`)
  const pane = shallowMount(LogPane, { props: { execution: 'e', step: 0, hosts: ['h'], ...props }, global: { plugins: [createPinia(), PiniaColada, i18n, router] } })
  await flushPromises()
  const text = (): unknown => pane.findComponent(LogView).props('feed').row(0)?.text
  return { pane, text, asked, call, router }
}
beforeAll(() => speak('en'))
afterEach(() => vi.restoreAllMocks())

it('a pane of one attempt shows that one, and then another', async () => {
  const { pane, text, asked, call } = await open({ attempt: source('first', 1), compact: true })
  expect(text()).toBe('first try')
  await pane.setProps({ attempt: source('second', 2) })
  await flushPromises()
  expect(text()).toBe('second try')
  expect(asked).toHaveLength(2)
  expect(call).not.toHaveBeenCalled()
  pane.unmount()
})

it('the line of a link is that of the first log shown, not of the next one', async () => {
  const { pane, call, router } = await open({}, '?line=1&host=h')
  expect(pane.findComponent(LogView).props('line')).toBe(0)
  call.mockResolvedValue([source('first', 3)] as never)
  await pane.setProps({ hosts: ['other'] })
  await flushPromises()
  expect(pane.findComponent(LogView).props('line')).toBe(-1)
  expect(router.currentRoute.value.query).toEqual({ host: 'h' })
  pane.unmount()
})
