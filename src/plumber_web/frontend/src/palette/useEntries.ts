/** Places, tasks to open or run, agents and actions. */
import { computed, type ComputedRef, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'
import { useRouter, type RouteLocationRaw } from 'vue-router'
import type { Entry } from './entries'
import { useCall } from '@/api/useCall'
import { PLACES } from '@/frame/places'
import { usePreferences } from '@/stores/preferences'

export function useEntries(open: Ref<boolean>): ComputedRef<Entry[]> {
  const { t } = useI18n()
  const router = useRouter()
  const preferences = usePreferences()
  const tasks = useCall('task.list', { limit: 200 }, { enabled: open })
  const agents = useCall('agent.list', { on: 'all', limit: 500 }, { enabled: open })
  const executions = useCall('execution.list', { limit: 20 }, { enabled: open })

  const entry = (id: string, group: string, text: string, run: () => void, hint?: string): Entry => ({ id, group, text, run, hint })
  const link = (id: string, group: string, text: string, to: RouteLocationRaw, hint?: string): Entry => entry(id, group, text, () => void router.push(to), hint)

  const places = computed(() => PLACES.map((place) => link(place.name, 'places', t(`frame.${place.name}`), { name: place.name }, place.keys)))
  const actions = computed(() => [
    link('new-task', 'actions', t('home.newTask'), { name: 'task-new' }),
    link('add-server', 'actions', t('fleet.add'), { name: 'fleet', query: { add: '' } }),
    entry('theme', 'actions', t('frame.theme'), () => (preferences.theme = preferences.dark ? 'light' : 'dark')),
    entry('language', 'actions', t('frame.language'), () => void preferences.choose(preferences.language === 'en' ? 'zh-CN' : 'en')),
  ])
  const found = computed(() => [
    ...(tasks.data.value?.items ?? []).flatMap((task) => [
      link(`task-${task.id}`, 'tasks', task.name, { name: 'task', params: { task: task.name } }, task.description),
      link(`run-${task.id}`, 'run', t('palette.run', { name: task.name }), { name: 'task', params: { task: task.name }, query: { run: '' } }),
    ]),
    ...(agents.data.value?.items ?? []).map((agent) => link(`agent-${agent.id}`, 'agents', agent.name, { name: 'agent', params: { agent: agent.name } }, agent.facts.hostname)),
    ...(executions.data.value?.items ?? []).map((one) => link(one.id, 'executions', `${one.task} · ${one.id.slice(-8)}`, { name: 'execution', params: { execution: one.id } }, t(`states.${one.state}`))),
  ])
  return computed(() => [...places.value, ...actions.value, ...found.value])
}
