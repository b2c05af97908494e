import type { Receiver } from './receiver.js';

/** What a user would run otherwise, and ours. Each is imported in its own process alone. */
export const RECEIVERS = {
  'guide, Express': async () => (await import('./express.receiver.js')).startReceiver,
  'by hand, Nest on Express': async () => (await import('./nest.receiver.js')).startReceiver,
  'by hand, Fastify': async () => (await import('./fastify.receiver.js')).startReceiver,
  '@octokit/webhooks, Node': async () => (await import('./octokit.receiver.js')).startReceiver,
  'nothing verified, Nest on Express': async () => (await import('./empty-nest.receiver.js')).startOnExpress,
  'nothing verified, Nest on Fastify': async () => (await import('./empty-nest.receiver.js')).startOnFastify,
  'ours, Nest on Express': async () => (await import('./ours.receiver.js')).startOnExpress,
  'ours, Nest on Fastify': async () => (await import('./ours.receiver.js')).startOnFastify,
} satisfies Record<string, () => Promise<Receiver>>;

export type ReceiverName = keyof typeof RECEIVERS;

export const RECEIVER_NAMES = Object.keys(RECEIVERS).filter(isReceiverName);

export function isReceiverName(name: string | undefined): name is ReceiverName {
  return name !== undefined && Object.hasOwn(RECEIVERS, name);
}
