import { BullMqTransport } from 'nestjs-scalekit-webhooks/bullmq';
import { PostgresInboxStore, type PostgresQueryable } from 'nestjs-scalekit-webhooks/postgres';
import { RedisInboxStore } from 'nestjs-scalekit-webhooks/redis';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { createScalekitDelivery } from 'nestjs-scalekit-webhooks/testing';

declare const client: PostgresQueryable;

export const stores = [
  new PostgresInboxStore({ client, application: 'shop' }),
  RedisInboxStore,
  SqliteInboxStore,
  BullMqTransport,
];
export const attempt: number = createScalekitDelivery().attempt;
