/** TypeScript files import each other as `./name.js`. Jest runs `./name.ts`. */
module.exports = (request, options) => {
  try {
    return options.defaultResolver(request, options);
  } catch (error) {
    if (!request.startsWith('.') || !request.endsWith('.js')) throw error;
    return options.defaultResolver(request.replace(/\.js$/, '.ts'), options);
  }
};
