import { defineConfig } from "vite";

/** The three pages, built into the folder that the Python package ships. */
export default defineConfig({
  base: "/",
  build: {
    outDir: "../kinesphere/stage/static",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0, // nothing inline: the server's content policy allows the page's own files only
    modulePreload: { polyfill: false },
    rollupOptions: { input: { index: "index.html", show: "show.html", pad: "pad.html" } },
  },
});
