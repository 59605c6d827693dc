import './styles/main.css'
import { PiniaColada } from '@pinia/colada'
import { createPinia } from 'pinia'
import { createApp } from 'vue'
import App from './App.vue'
import { i18n, speak } from './i18n'
import { router } from './router'
import { usePreferences } from './stores/preferences'

const app = createApp(App).use(createPinia()).use(PiniaColada).use(i18n)
const preferences = usePreferences()
preferences.apply()
await speak(preferences.language)
app.use(router).mount('#app')
