/** A service that tests connect to. */
export type Service = 'postgres' | 'redis';

interface ServiceDetails {
  readonly label: string;
  readonly variable: string;
  readonly defaultUrl: string;
}

export const SERVICES: Readonly<Record<Service, ServiceDetails>> = {
  postgres: {
    label: 'Postgres',
    variable: 'POSTGRES_URL',
    defaultUrl: 'postgres://postgres@127.0.0.1:5432/test',
  },
  redis: { label: 'Redis', variable: 'REDIS_URL', defaultUrl: 'redis://127.0.0.1:6379' },
};

/** Where the tests find a service. */
export function serviceUrl(service: Service): string {
  const { variable, defaultUrl } = SERVICES[service];
  return process.env[variable] || defaultUrl;
}
