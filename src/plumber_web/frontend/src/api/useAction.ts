/** Carry out an operation for a person: busy while it runs, errors told, success remarked. */
import { useQueryCache } from '@pinia/colada'
import { ref, type Ref } from 'vue'
import { call, type Arguments, type OperationName, type Result } from './client'
import { useErrors } from '@/composables/useErrors'

export interface Action<Name extends OperationName> {
  busy: Ref<boolean>
  /** Returns undefined when it was refused, which has been told. */
  run: (body?: Arguments<Name>) => Promise<Result<Name> | undefined>
}

/** `stale` names the operations whose answers change with this one. */
export function useAction<Name extends OperationName>(name: Name, stale: OperationName[] = []): Action<Name> {
  const busy = ref(false)
  const cache = useQueryCache()
  const errors = useErrors()

  async function run(body?: Arguments<Name>): Promise<Result<Name> | undefined> {
    busy.value = true
    try {
      const answer = await call(name, body)
      await Promise.all(stale.map((key) => cache.invalidateQueries({ key: [key] })))
      return answer
    } catch (error) {
      errors.report(error)
      return undefined
    } finally {
      busy.value = false
    }
  }

  return { busy, run }
}
