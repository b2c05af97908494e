import { cleanUpAfterTest } from './cleanup.js';
import { TypeScriptProcess } from './typescript-process.js';

/** Starts a process that does a task of `sqlite-worker.main.ts` on a file. It is killed when the test ends. */
export function startSqliteWorker(task: string, file: string, ...parameters: string[]): TypeScriptProcess {
  const main = new URL('./sqlite-worker.main.ts', import.meta.url);
  const worker = new TypeScriptProcess(main, task, file, ...parameters);
  cleanUpAfterTest(() => worker.kill());
  return worker;
}
