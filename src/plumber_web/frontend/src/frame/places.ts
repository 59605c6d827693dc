/** The places of the rail, in the order of a day. */
import { Gauge, History, House, ListChecks, Server } from '@lucide/vue'
import type { Component } from 'vue'

export const PLACES: readonly { name: string; icon: Component; keys: string }[] = [
  { name: 'home', icon: House, keys: 'g h' },
  { name: 'tasks', icon: ListChecks, keys: 'g t' },
  { name: 'executions', icon: History, keys: 'g r' },
  { name: 'fleet', icon: Server, keys: 'g f' },
  { name: 'system', icon: Gauge, keys: 'g s' },
]
