/**
 * Chooses the build of React without its checks for developers, which take as long as drawing itself. It has to be
 * imported before React is.
 */
process.env.NODE_ENV ??= 'production'
