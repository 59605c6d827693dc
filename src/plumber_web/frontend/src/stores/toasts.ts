/** Short remarks about what was just done, each gone by itself unless it is an error. */
import { defineStore } from 'pinia'
import { ref } from 'vue'

export interface Toast {
  id: number
  tone: 'good' | 'bad' | 'info'
  text: string
  action?: { label: string; run: () => void }
}

const STAY = 6000

export const useToasts = defineStore('toasts', () => {
  const items = ref<Toast[]>([])
  let last = 0

  function add(tone: Toast['tone'], text: string, action?: Toast['action']): void {
    const toast = { id: ++last, tone, text, action }
    items.value = [...items.value.slice(-3), toast]
    if (tone !== 'bad') setTimeout(() => dismiss(toast.id), STAY)
  }

  function dismiss(id: number): void {
    items.value = items.value.filter((toast) => toast.id !== id)
  }

  return { items, add, dismiss }
})
