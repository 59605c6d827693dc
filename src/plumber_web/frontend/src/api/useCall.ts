/** Read an operation and keep it fresh: one cache for all components (Pinia Colada). */
import { useQuery, type UseQueryReturn } from '@pinia/colada'
import { toValue, type MaybeRefOrGetter } from 'vue'
import { call, type Arguments, type OperationName, type Result } from './client'

export function useCall<Name extends OperationName>(
  name: Name,
  body: MaybeRefOrGetter<Arguments<Name>>,
  options: { enabled?: MaybeRefOrGetter<boolean>; staleTime?: number } = {},
): UseQueryReturn<Result<Name>, Error> {
  return useQuery({
    key: () => [name, toValue(body) as never],
    enabled: () => toValue(options.enabled ?? true),
    staleTime: options.staleTime ?? 2000,
    query: ({ signal }) => call(name, toValue(body), signal),
  }) as UseQueryReturn<Result<Name>, Error>
}
