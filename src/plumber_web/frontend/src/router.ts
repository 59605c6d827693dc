/** Every page by its address. All but the login wait for a session, and come back to where one was. */
import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router'
import { speakOfTasks } from './i18n'
import { useSession } from './stores/session'

declare module 'vue-router' {
  interface RouteMeta {
    public?: boolean
    bare?: boolean
    /** Its texts are loaded with it. */
    task?: boolean
  }
}

const RELOADED = 'plumber.reloaded'

export const routes: RouteRecordRaw[] = [
  { path: '/', name: 'home', component: () => import('./views/HomeView.vue') },
  { path: '/login', name: 'login', component: () => import('./views/LoginView.vue'), meta: { public: true, bare: true } },
  { path: '/tasks', name: 'tasks', component: () => import('./views/TasksView.vue') },
  { path: '/tasks/new', name: 'task-new', component: () => import('./views/TaskEditView.vue'), meta: { task: true } },
  { path: '/tasks/:task', name: 'task', component: () => import('./views/TaskView.vue'), props: true, meta: { task: true } },
  { path: '/tasks/:task/edit', name: 'task-edit', component: () => import('./views/TaskEditView.vue'), props: true, meta: { task: true } },
  { path: '/executions', name: 'executions', component: () => import('./views/ExecutionsView.vue') },
  { path: '/executions/:execution', name: 'execution', component: () => import('./views/ExecutionView.vue'), props: true },
  { path: '/fleet', name: 'fleet', component: () => import('./views/FleetView.vue') },
  { path: '/fleet/:agent', name: 'agent', component: () => import('./views/AgentView.vue'), props: true },
  { path: '/system', name: 'system', component: () => import('./views/SystemView.vue') },
  { path: '/:rest(.*)*', name: 'missing', component: () => import('./views/MissingView.vue') },
]

export const router = createRouter({
  history: createWebHistory(new URL(document.baseURI).pathname),
  routes,
  scrollBehavior: (to, _from, saved) => saved ?? (to.hash ? { el: to.hash } : { top: 0 }),
})

router.beforeEach(async (to) => {
  const session = useSession()
  if (!session.known) await session.restore().catch(() => undefined)
  if (!to.meta.public && session.known && !session.user) return { name: 'login', query: { to: to.fullPath } }
  if (to.meta.task) await speakOfTasks()
})

// A server that was upgraded has no longer the parts of the page that this tab would load: the whole page is read anew.
router.onError((error, to) => {
  if (!/import|preload/i.test(String(error)) || sessionStorage.getItem(RELOADED) === to.fullPath) return
  sessionStorage.setItem(RELOADED, to.fullPath)
  location.assign(router.resolve(to.fullPath).href)
})
