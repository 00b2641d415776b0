(() => {
  const all = (css, from = document) => [...from.querySelectorAll(css)];
  const one = (css, from = document) => from.querySelector(css);

  // What a reader was looking at, when the page comes again
  const key = 'kinesphere ' + location.pathname;
  let kept = {};
  try { kept = JSON.parse(sessionStorage.getItem(key)) || {}; } catch {}
  const keep = () => { try { sessionStorage.setItem(key, JSON.stringify(kept)); } catch {} };
  history.scrollRestoration = 'manual';

  // The time line
  const grid = one('#grid'), slide = one('.slide'), strip = one('.strip');
  if (grid && slide) {
    const slider = one('input', slide), button = one('button', slide), when = one('#when');
    const frames = [...all('img', strip).map(img => ({ src: img.src, kimg: img.alt })), { src: grid.src, kimg: grid.alt }];
    const newest = frames.length - 1;
    let timer = 0;
    const show = i => {
      slider.value = i;
      grid.src = frames[i].src;
      grid.alt = when.textContent = frames[i].kimg;
      all('figure', strip).forEach((figure, j) => figure.classList.toggle('on', j === i));
      kept.frame = i === newest ? null : frames[i].kimg;
      keep();
    };
    const stop = () => { clearInterval(timer); timer = 0; button.textContent = 'Play'; };
    const follow = i => {
      const figure = all('figure', strip)[i];
      strip.scrollLeft = figure ? figure.offsetLeft - strip.offsetLeft - strip.clientWidth / 2 + 38 : strip.scrollWidth;
    };
    slider.max = newest;
    slide.hidden = false;
    slider.addEventListener('input', () => { stop(); show(+slider.value); follow(+slider.value); });
    all('figure', strip).forEach((figure, i) => figure.addEventListener('click', () => { stop(); show(i); }));
    button.addEventListener('click', () => {
      if (timer) return stop();
      button.textContent = 'Pause';
      if (+slider.value === newest) show(0);
      timer = setInterval(() => {
        show(+slider.value + 1);
        follow(+slider.value);
        if (+slider.value === newest) stop();
      }, 250);
    });
    const before = kept.frame ? frames.findIndex(frame => frame.kimg === kept.frame) : -1;
    show(before < 0 ? newest : before);
    follow(+slider.value);
  }

  // Values under the pointer, on every chart at once
  const text = v => Math.abs(v) >= 1000 ? Math.round(v).toLocaleString('en-US') : String(+v.toPrecision(3));
  const charts = all('.chart').map(chart => {
    const [x0, x1] = chart.dataset.x.split(' ').map(Number), [y0, y1] = chart.dataset.y.split(' ').map(Number);
    const value = chart.dataset.log === '1' ? f => y0 * (y1 / y0) ** f : f => y0 + (y1 - y0) * f;
    const curves = all('.line', chart).map((path, i) => ({
      points: path.getAttribute('d').split(/[M ]/).filter(Boolean).map(p => p.split(',').map(Number)),
      said: all('li b', chart)[i], last: all('li b', chart)[i].textContent,
    }));
    return { area: one('.area', chart), cross: one('.cross', chart), x0, x1, value, curves };
  });
  const nearest = (points, x) => {
    let a = 0, b = points.length - 1;
    while (b - a > 1) { const m = (a + b) >> 1; if (points[m][0] <= x) a = m; else b = m; }
    return Math.abs(points[a][0] - x) <= Math.abs(points[b][0] - x) ? points[a] : points[b];
  };
  const read = x => charts.forEach(chart => {
    chart.cross.hidden = x === null;
    if (x !== null) {
      chart.cross.style.left = x / 10 + '%';
      chart.cross.classList.toggle('late', x > 700);
      one('span', chart.cross).textContent = text(chart.x0 + (chart.x1 - chart.x0) * x / 1000) + ' kimg';
    }
    for (const curve of chart.curves) if (curve.points.length)
      curve.said.textContent = x === null ? curve.last : text(chart.value(1 - nearest(curve.points, x)[1] / 1000));
  });
  for (const { area } of charts) {
    const move = event => {
      const box = area.getBoundingClientRect();
      read(Math.min(1000, Math.max(0, (event.clientX - box.left) / box.width * 1000)));
    };
    area.addEventListener('pointermove', move);
    area.addEventListener('pointerdown', move);
    area.addEventListener('pointerleave', () => read(null));
  }

  // A run that was killed cannot say so
  const root = document.documentElement, state = one('.state.running');
  const age = () => {
    const seconds = Date.now() / 1000 - root.dataset.written;
    if (!state || seconds < root.dataset.silent) return;
    const minutes = Math.round(seconds / 60);
    state.classList.add('silent');
    one('span', state).textContent = 'no news for ' + (minutes < 120 ? minutes + ' min' : Math.round(minutes / 60) + ' h');
  };
  age();
  setInterval(age, 10000);

  if (kept.y) scrollTo(0, kept.y);
  const place = () => { kept.y = scrollY; keep(); };
  addEventListener('scroll', place, { passive: true });
  addEventListener('pagehide', place);
})();
