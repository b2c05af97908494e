import fastify from 'fastify';
import { dispatchByHand, isAuthentic } from './by-hand.js';
import { PATH, type Receiver } from './receiver.js';

/** A hand-written Fastify route. */
export const startReceiver: Receiver = async (port) => {
  const app = fastify();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  );
  app.post<{ Body: Buffer }>(PATH, async (request, reply) => {
    const payload = request.body.toString();
    if (!isAuthentic(request.headers, payload)) return reply.code(401).send({ error: 'Invalid signature' });
    await dispatchByHand(JSON.parse(payload));
    return reply.code(200).send({ received: true });
  });
  await app.listen({ port, host: '127.0.0.1' });
};
