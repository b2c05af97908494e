// A child process with one receiver: `node serve.js <name> <port>`. Tells when it listens, and when asked how many
// events it has handled.
import { handledEvents } from './handled.js';
import { isReceiverName, RECEIVERS } from './receivers.js';

const [name, port] = process.argv.slice(2);
if (!isReceiverName(name)) throw new Error(`there is no receiver ${name}`);
const start = await RECEIVERS[name]();
await start(Number(port));
process.on('message', () => process.send?.(handledEvents()));
process.send?.(handledEvents());
process.once('disconnect', () => process.exit());
