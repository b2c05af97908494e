export { BullMqTransport, type BullMqTransportOptions } from './bullmq.transport.js';
