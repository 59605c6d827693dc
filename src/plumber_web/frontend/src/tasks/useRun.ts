/** A run in the making: its form, its plan, what the server refuses, and whether it would touch everybody. */
import { computed, ref, shallowRef, watch, type ComputedRef, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'
import { expressionOf, requestId, type TaskShape } from './api'
import { defaults, missing, reuse, toArguments, type Declared, type FormValues } from './params'
import { call, type Schemas } from '@/api/client'
import { ApiError } from '@/api/errors'
import { useErrors } from '@/composables/useErrors'
import { useSession } from '@/stores/session'

export interface Run {
  task: Ref<Schemas['TaskDetail'] | null>
  declared: ComputedRef<Declared>
  values: Ref<FormValues>
  wrong: Ref<Record<string, string>>
  failure: Ref<string>
  plan: Ref<Schemas['PlanView'] | null>
  everybody: Ref<number>
  last: Ref<Schemas['ExecutionSummary'] | null>
  busy: Ref<'' | 'open' | 'plan' | 'run' | 'reuse'>
  open: () => Promise<void>
  takeLast: () => Promise<void>
  makePlan: () => Promise<void>
  start: (reason: string) => Promise<string | undefined>
}

const PREFIX = 'parameters.'

/** Return the number of agents when one of the targets is all of them, else 0. One agent alone is no crowd. */
async function countIfAll(definition: TaskShape): Promise<number> {
  const targets = [...(definition.steps ?? []).map((step) => step.on ?? definition.on), definition.on].map(expressionOf)
  const known = [...new Set(targets)].filter((on) => on && !on.includes('${{'))
  const all = await call('agent.match', { on: 'all' })
  if (all.total < 2) return 0
  const found = await Promise.all(known.map((on) => call('agent.match', { on })))
  return found.some((match) => match.total >= all.total) ? all.total : 0
}

export function useRun(name: () => string): Run {
  const { t } = useI18n()
  const errors = useErrors()
  const session = useSession()
  const task = shallowRef<Schemas['TaskDetail'] | null>(null)
  const declared = computed<Declared>(() => (task.value?.definition as TaskShape | undefined)?.params ?? {})
  const values = ref<FormValues>({})
  const wrong = ref<Record<string, string>>({})
  const failure = ref('')
  const plan = shallowRef<Schemas['PlanView'] | null>(null)
  const everybody = ref(0)
  const last = shallowRef<Schemas['ExecutionSummary'] | null>(null)
  const busy = ref<'' | 'open' | 'plan' | 'run' | 'reuse'>('')
  let request = requestId()
  // Other values are another run, and make the plan a lie.
  watch(values, () => ((plan.value = null), (request = requestId())), { deep: true })

  function refuse(error: unknown): void {
    const field = error instanceof ApiError && error.code === 'invalid_request' ? String(error.problem.arguments.field ?? '') : ''
    if (field.startsWith(PREFIX) && field.slice(PREFIX.length) in declared.value) {
      wrong.value = { [field.slice(PREFIX.length)]: String((error as ApiError).problem.arguments.reason) }
    } else failure.value = errors.explain(error)
  }

  async function during(what: typeof busy.value, act: () => Promise<void>): Promise<void> {
    busy.value = what
    failure.value = ''
    wrong.value = {}
    await act().catch(refuse)
    busy.value = ''
  }

  function complete(): boolean {
    const names = missing(declared.value, values.value)
    wrong.value = Object.fromEntries(names.map((one) => [one, t('tasks.run.needed')]))
    return names.length === 0
  }

  const body = () => ({ task: name(), parameters: toArguments(declared.value, values.value), revision: task.value?.revision.number ?? null })

  const open = () =>
    during('open', async () => {
      everybody.value = 0
      plan.value = last.value = null
      const [detail, earlier] = await Promise.all([call('task.show', { task: name() }), call('execution.list', { task: name(), by: session.user?.name ?? null, limit: 1 })])
      task.value = detail
      last.value = earlier.items[0] ?? null
      values.value = defaults(declared.value)
      request = requestId()
      void countIfAll(detail.definition as TaskShape).then((count) => (everybody.value = count)).catch(() => undefined)
    })

  const takeLast = () =>
    during('reuse', async () => {
      if (!last.value) return
      values.value = reuse(declared.value, (await call('execution.show', { execution: last.value.id })).parameters ?? {})
    })

  const makePlan = () => during('plan', async () => void (complete() && (plan.value = await call('task.plan', body()))))

  async function start(reason: string): Promise<string | undefined> {
    let started: string | undefined
    await during('run', async () => {
      if (complete()) started = (await call('task.run', { ...body(), reason, request_id: request })).id
    })
    return started
  }

  return { task, declared, values, wrong, failure, plan, everybody, last, busy, open, takeLast, makePlan, start }
}
