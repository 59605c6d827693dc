/** Who is logged in. The credential itself is a cookie that no script can read. */
import { defineStore } from 'pinia'
import { ref } from 'vue'
import { call, request, whenSessionEnds, type Schemas } from '@/api/client'
import { ApiError } from '@/api/errors'

export const useSession = defineStore('session', () => {
  const user = ref<Schemas['Principal'] | null>(null)
  const known = ref(false)

  /** Ask the server once who this is. */
  async function restore(): Promise<void> {
    try {
      user.value = await call('session.whoami')
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 401)) throw error
      user.value = null
    }
    known.value = true
  }

  async function login(username: string, password: string): Promise<void> {
    const response = await request('/session', { method: 'POST', body: JSON.stringify({ username, password }) })
    user.value = ((await response.json()) as { user: Schemas['Principal'] }).user
    known.value = true
  }

  async function logout(): Promise<void> {
    await request('/session', { method: 'DELETE' })
    user.value = null
  }

  // The next page is the login, and then back here.
  whenSessionEnds(() => (user.value = null))

  return { user, known, restore, login, logout }
})
