/** Where every receiver listens. */
export const PATH = '/webhooks/scalekit';

/** Starts to listen on a port of 127.0.0.1. */
export type Receiver = (port: number) => Promise<void>;
