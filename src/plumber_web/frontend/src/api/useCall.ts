/** Read an operation and keep it fresh: one cache for all components (Pinia Colada). */
import { useQuery, type UseQueryReturn } from '@pinia/colada'
import { toValue, type MaybeRefOrGetter } from 'vue'
import { call, type Arguments, type OperationName, type Result } from './client'
import { ApiError } from './errors'
import { useSession } from '@/stores/session'

export function useCall<Name extends OperationName>(
  name: Name,
  body: MaybeRefOrGetter<Arguments<Name>>,
  options: { enabled?: MaybeRefOrGetter<boolean>; staleTime?: number } = {},
): UseQueryReturn<Result<Name>, Error> {
  const session = useSession()
  return useQuery({
    key: () => [name, toValue(body) as never],
    enabled: () => toValue(options.enabled ?? true),
    staleTime: options.staleTime ?? 2000,
    query: async ({ signal }) => {
      try {
        return await call(name, toValue(body), signal)
      } catch (error) {
        if (error instanceof ApiError && error.status === 401) session.expire()
        throw error
      }
    },
  }) as UseQueryReturn<Result<Name>, Error>
}
