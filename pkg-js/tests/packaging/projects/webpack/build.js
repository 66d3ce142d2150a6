import webpack from "webpack";

const compiler = webpack({
  mode: "production",
  entry: "./main.js",
  // The module is larger than what webpack finds normal.
  performance: { hints: false },
});
compiler.run((error, stats) => {
  if (error) throw error;
  // What a user would have to read and to wonder about is a failure.
  if (stats.hasErrors() || stats.hasWarnings()) {
    console.error(stats.toString({ all: false, errors: true, warnings: true }));
    process.exitCode = 1;
  }
  compiler.close(() => {});
});
