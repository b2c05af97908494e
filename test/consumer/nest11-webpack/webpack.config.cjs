const { join } = require('node:path');
const { IgnorePlugin } = require('webpack');

// As in docs/recipes.md: packages that Nest looks for, and that this application does not have.
const lazyImports = [
  '@nestjs/microservices',
  '@nestjs/microservices/microservices-module',
  '@nestjs/websockets/socket-module',
];

const bundle = (name, lazy, minimize) => ({
  mode: 'production',
  target: 'node',
  devtool: false,
  entry: './dist/src/bundle.js',
  output: { path: join(__dirname, 'bundles'), filename: `${name}.js` },
  plugins: [new IgnorePlugin({ checkResource: (resource) => lazy.includes(resource) })],
  optimization: { minimize },
  performance: { hints: false },
});

module.exports = [
  bundle('minified', [...lazyImports, '@nestjs/config', '@nestjs/event-emitter'], true),
  // Without the optional peers in the list, webpack warns, but makes the bundle.
  bundle('plain', lazyImports, false),
];
