import { expect, it } from 'vitest'
import { commonLabels, editLabels, parseLabels, writeLabels } from './labels'

it('reads labels separated by lines, commas or spaces', () => {
  expect(parseLabels('role=web, env=prod\nzone=a=1')).toEqual({ labels: { role: 'web', env: 'prod', zone: 'a=1' } })
})

it.each(['role', '=web', 'role='])('names what is no label: %s', (wrong) => {
  expect(parseLabels(`env=prod ${wrong}`)).toEqual({ wrong })
})

it('writes what it reads', () => {
  const labels = { role: 'web', env: 'prod' }
  expect(parseLabels(writeLabels(labels))).toEqual({ labels })
})

it('edits what many agents share and leaves the rest of each', () => {
  const all = [{ role: 'web', zone: 'a' }, { role: 'web', zone: 'b' }]
  const before = commonLabels(all)
  expect(before).toEqual({ role: 'web' })
  expect(editLabels(all[1], before, { env: 'prod' })).toEqual({ zone: 'b', env: 'prod' })
})
