#pragma once
// Physical memory as VMX structures lie in it: VMCS regions, bitmaps, MSR areas, descriptors.

#include "model/base/ref_kind.h"
#include "model/base/types.h"

namespace vtsim::vmx {

class HostMemory {
 public:
  virtual ~HostMemory() = default;
  virtual void read(Hpa address, void* out, unsigned size, RefKind kind) = 0;
  virtual void write(Hpa address, const void* data, unsigned size, RefKind kind) = 0;

  template <class T>
  T load(Hpa address, RefKind kind) {
    T value;
    read(address, &value, sizeof value, kind);
    return value;
  }
  template <class T>
  void store(Hpa address, T value, RefKind kind) {
    write(address, &value, sizeof value, kind);
  }
};

}  // namespace vtsim::vmx
