// Keeps the page's own files, so that an installed page opens at once and says itself that the server is away. Nothing of what
// the API sends is ever kept.

const CACHE = "mien-page";
const FILES = [
  "/",
  "/app/page.css",
  "/app/page.js",
  "/app/bars.js",
  "/app/camera.js",
  "/app/classes.js",
  "/app/people.js",
  "/app/session.js",
  "/app/stage.js",
  "/app/timeline.js",
  "/app/visit.js",
  "/app/watch.js",
  "/manifest.webmanifest",
  "/icon.svg",
  "/icon-192.png",
  "/icon-512.png",
];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

async function keep(path, response) {
  await (await caches.open(CACHE)).put(path, response);
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin || !FILES.includes(url.pathname)) return;
  // The server's own first: a newer program never meets the page of an older one.
  event.respondWith(
    fetch(request)
      .then(async (response) => {
        // A browser without room for it still shows the page.
        if (response.ok) await keep(url.pathname, response.clone()).catch(() => {});
        return response;
      })
      .catch(() => caches.match(url.pathname)),
  );
});
