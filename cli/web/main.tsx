/** The page of a node: what the browser loads first. */
import { render } from 'preact'
import { readPreferences } from './state/preferences.ts'
import { start } from './state/session.ts'
import './style/tokens.css'
import './style/base.css'
import './style/shell.css'
import './style/conversation.css'
import './style/panels.css'
import { App } from './views/app.tsx'

readPreferences()
render(<App />, document.getElementById('app')!)
void start()
