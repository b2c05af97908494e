import express from 'express';
import { dispatchByHand, isAuthentic } from './by-hand.js';
import { PATH, type Receiver } from './receiver.js';

/** The guide's own Express handler. */
export const startReceiver: Receiver = async (port) => {
  const app = express();
  app.use(PATH, express.raw({ type: 'application/json' }));
  app.post(PATH, async (request, response) => {
    try {
      if (!isAuthentic(request.headers, request.body.toString())) {
        response.status(401).json({ error: 'Invalid signature' });
        return;
      }
      await dispatchByHand(JSON.parse(request.body.toString()));
      response.status(200).json({ received: true });
    } catch {
      response.status(500).json({ error: 'Webhook processing failed' });
    }
  });
  app.listen(port, '127.0.0.1');
};
